"""Sign a customer in at the request of a shop's server, with the password and a code of the second step."""

from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.sign_ins import SignInEnded
from portal.domain.use_cases.log_in import log_in
from portal.domain.use_cases.pass_two_step import pass_two_step
from portal.domain.values.email import Address


def log_in_by_api(context: Context, visitor: Visitor, address: Address, password: str, code: str | None) -> str:
    """Sign a customer in and return the new identity.

    Whether there is a second step is told only after the right password. Raises what `log_in` does, and Refused:
    TWO_STEP_REQUIRED without a code, TWO_STEP_SETUP_REQUIRED, and what `pass_two_step` raises.
    """
    begun = log_in(context, visitor, address, password, remember=True)
    if isinstance(begun, str):
        return begun
    if begun.must_set_up:
        raise Refused(Failure.TWO_STEP_SETUP_REQUIRED)
    if not code:
        raise Refused(Failure.TWO_STEP_REQUIRED)
    try:
        return pass_two_step(context, visitor, begun.value, code, replacing=None).identity
    except SignInEnded:  # banned or reset meanwhile
        raise Refused(Failure.LOGIN_FAILED) from None
