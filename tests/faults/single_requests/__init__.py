"""Each request or command of a customer, a shop and an operator, prepared so that a test can send it alone."""

from tests.faults.single_requests import account, operator, passkey, shop, sign_in, two_step
from tests.faults.single_requests.world import Requests

SINGLE_REQUESTS: Requests = [
    *sign_in.REQUESTS,
    *account.REQUESTS,
    *two_step.REQUESTS,
    *passkey.REQUESTS,
    *shop.REQUESTS,
    *operator.REQUESTS,
]
