"""The portal behind PgBouncer with its defaults, in session and in transaction mode."""

from functools import partial

import pytest

from tests.servers.pgbouncer import pgbouncer
from tests.servers.slate import Slate
from tests.web.conftest import PASSWORD, Start, in_parallel

pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]


@pytest.mark.parametrize("pool_mode", ["session", "transaction"])
def test_customers_register_and_sign_in(start: Start, slate: Slate, pool_mode: str) -> None:
    emails = [f"a{number}@example.com" for number in range(8)]
    roomy = dict.fromkeys(("REGISTER_LIMIT_NETWORK", "MAIL_LIMIT_NETWORK"), "1000 per hour")
    with pgbouncer(slate.url, pool_mode) as url:
        site = start(DATABASE_URL=url, **roomy)
        for email in emails:
            site.customer(email)

        def sign_in_often(email: str) -> None:
            for _ in range(4):
                browser = site.browser()
                assert browser.sign_in(email, PASSWORD).location == "/account"
                assert browser.open("/account").status == 200

        in_parallel([partial(sign_in_often, email) for email in emails])
        site.context.database.engine.dispose()
