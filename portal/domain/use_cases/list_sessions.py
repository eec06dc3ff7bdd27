"""List where a customer is signed in."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, case, func, select

from portal.domain import identities
from portal.domain.context import Context
from portal.domain.identities import Channel, Customer
from portal.storage.models import Identity

MOST_LISTED = 100
"""The maximum number of listed sessions; those with the oldest use are left out."""


@dataclass(frozen=True)
class Session:
    """A session that is live."""

    id: int
    channel: Channel
    ip: str | None
    user_agent: str | None
    created_at: datetime
    seen_at: datetime
    """The last use, to the minute."""
    is_current: bool
    """Whether it is the one in use."""
    ends_with_current: bool
    """Whether one was handed over from the other, so that ending either ends both."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of a customer: the one in use, then those that were used last."""

    listed: list[Session]
    left_out: int


_is_current = Identity.c.id == bindparam("identity_id")
_columns = (
    Identity.c.id,
    Identity.c.channel,
    Identity.c.ip,
    Identity.c.user_agent,
    Identity.c.created_at,
    Identity.c.seen_at,
    Identity.c.family.label("family"),  # the column has another name
)


def list_sessions(context: Context, customer: Customer) -> Sessions:
    """Return the sessions of a customer, in one statement however many there are."""
    statement = (
        select(*_columns, func.count().over().label("total"))
        .where(Identity.c.contact_id == customer.id, identities.is_live(context.rules, context.clock()))
        .order_by(case((_is_current, 0), else_=1), Identity.c.seen_at.desc(), Identity.c.id.desc())
        .limit(MOST_LISTED)
    )
    with context.database.read() as connection:
        rows = connection.execute(statement, {"identity_id": customer.identity_id}).all()
    family = next((row.family for row in rows if row.id == customer.identity_id), None)
    listed = [
        Session(
            id=row.id,
            channel=Channel(row.channel),
            ip=row.ip,
            user_agent=row.user_agent,
            created_at=row.created_at,
            seen_at=row.seen_at,
            is_current=row.id == customer.identity_id,
            ends_with_current=family is not None and row.family == family and row.id != customer.identity_id,
        )
        for row in rows
    ]
    return Sessions(listed, left_out=rows[0].total - len(rows) if rows else 0)
