"""Require a recent proof of the customer in this session before a dangerous change.

By the password or a code from an email, and by the second step where the customer has one.
"""

from datetime import datetime, timedelta

from portal.domain import second_step
from portal.domain.context import Context
from portal.domain.identities import Customer

RECENT = timedelta(minutes=10)


class NotRecentlyAuthenticated(Exception):
    """The customer must reauthenticate first."""


def require_recent_authentication(context: Context, customer: Customer) -> None:
    """Raise NotRecentlyAuthenticated unless the customer has proved it in this session within the last ten minutes."""
    if not _is_recent(context, customer.proved_at) or is_second_step_due(context, customer):
        raise NotRecentlyAuthenticated


def is_second_step_due(context: Context, customer: Customer) -> bool:
    """Return whether only the second step is missing."""
    if not _is_recent(context, customer.proved_at) or _is_recent(context, customer.second_step_at):
        return False
    with context.database.read() as connection:
        return second_step.is_on(connection, customer.id)


def _is_recent(context: Context, proved_at: datetime | None) -> bool:
    return proved_at is not None and context.clock() < proved_at + RECENT
