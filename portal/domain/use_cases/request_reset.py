"""Request an email with a link that sets a new password."""

from datetime import timedelta

from portal.domain.context import Context, Visitor
from portal.domain.link_requests import email_link
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address


def request_reset(context: Context, visitor: Visitor, address: Address, lifetime: timedelta | None = None) -> None:
    """Email a reset link to a contact, who may have no account yet: a first password is set in the same way.

    The answer is the same for every address (link_requests.py). Raises Refused(TOO_MANY_MAILS).
    """
    email_link(context, visitor, address, Purpose.RESET, lifetime)
