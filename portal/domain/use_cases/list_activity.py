"""List the events of a customer's account, for the customer."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from portal.domain.context import Context
from portal.domain.identities import Customer
from portal.storage.models import Event

PAGE_LENGTH = 50


@dataclass(frozen=True)
class Activity:
    """One event; `kind` and `refusal` are the stored names of an EventKind and of a Failure."""

    id: int
    kind: str
    refusal: str | None
    ip: str | None
    user_agent: str | None
    occurred_at: datetime


@dataclass(frozen=True)
class ActivityPage:
    """Events, the newest first."""

    events: list[Activity]
    before: int | None
    """The `before` of the page with older events; None if there are none."""


_columns = (Event.c.id, Event.c.kind, Event.c.refusal, Event.c.ip, Event.c.user_agent, Event.c.occurred_at)
_newest = (
    select(*_columns)
    .where(Event.c.contact_id == bindparam("contact_id"))
    .order_by(Event.c.id.desc())
    .limit(PAGE_LENGTH + 1)  # one more tells whether there are older ones
)
_older = _newest.where(Event.c.id < bindparam("before"))


def list_activity(context: Context, customer: Customer, before: int | None = None) -> ActivityPage:
    """Return a page of the customer's events: the newest, or those older than the event with the id `before`."""
    statement, parameters = _newest, {"contact_id": customer.id}
    if before is not None:
        statement, parameters = _older, {**parameters, "before": before}
    with context.database.read() as connection:
        rows = [Activity(**row._asdict()) for row in connection.execute(statement, parameters)]
    page = rows[:PAGE_LENGTH]
    return ActivityPage(page, before=page[-1].id if len(rows) > PAGE_LENGTH else None)
