"""Recent authentication: a proof in this session, not older than this, before something dangerous is done."""

from datetime import timedelta

from portal.domain.context import Context
from portal.domain.identities import Customer

RECENT = timedelta(minutes=10)


class NotRecentlyAuthenticated(Exception):
    """The customer must prove in this session, by password or by a code from an email, that it is them."""


def require_recent_authentication(context: Context, customer: Customer) -> None:
    """Raise NotRecentlyAuthenticated unless the customer has proved it in this session within the last ten minutes."""
    if customer.proved_at is None or context.clock() >= customer.proved_at + RECENT:
        raise NotRecentlyAuthenticated
