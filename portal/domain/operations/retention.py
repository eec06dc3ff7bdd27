"""Forgetting: what has expired, and what nobody needs, leaves the database.

A mail that may yet be sent keeps whatever it refers to, whatever the age of that. Rows go in small batches, each in a
transaction of its own, so that no customer waits for the write lock; a run that is cut short is finished by the next.

The searches have no index of their own, but for events by their time: with 1,000,000 events and 200,000 each of links,
mails, identities and contacts each takes some 30 ms on either database, once an hour, and holds no lock. Indexes on
all these moments would be written with every sign-in.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from portal.domain import devices
from portal.domain.context import Context
from portal.domain.outbox import MailState
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.storage.database import Database, retried
from portal.storage.models import (
    Account,
    Contact,
    Device,
    Event,
    Handover,
    Identity,
    Link,
    OutboxMail,
    Registration,
)

LINK_RETENTION = timedelta(days=7)
"""After its end a link still tells its visitor that it was used, has expired or was withdrawn."""
MAIL_RETENTION = timedelta(days=30)
DECOY_MAIL_RETENTION = timedelta(days=1)
HANDOVER_RETENTION = timedelta(days=1)
IDENTITY_RETENTION = timedelta(days=30)
BATCH = 500
SEARCHED = 50_000
"""As many rows are looked for at a time: a first purge may find millions."""

_MAY_BE_SENT = OutboxMail.state.in_((MailState.QUEUED, MailState.DEAD))
"""Dead ones included: the operator may have them tried again."""


def purge(context: Context) -> dict[str, int]:
    """Delete what has had its time, and return how many rows of each table went.

    The order matters: a mail lets go of its link, a link of its registration, a registration of a contact that never
    proved the mailbox; with that contact the address is forgotten. It goes by the earlier of two times, this process's
    and the one that all go by: a clock that is far ahead would forget for everybody, and nothing of it comes back.
    """
    with context.database.read() as connection:
        now = min(context.clock(), connection.execute(select(context.clock.shared(connection))).scalar_one())
    return {
        table: sum(_batches(context, key, condition))
        for table, key, condition in (
            ("outbox", OutboxMail.id, _finished_mails(now)),
            ("link", Link.id, _ended_links(now)),
            ("registration", Registration.id, _stale_registrations(now)),
            ("handover", Handover.id, Handover.expires_at <= now - HANDOVER_RETENTION),
            ("identity", Identity.id, _ended_identities(now)),
            ("device", Device.id, Device.seen_at <= now - devices.LIFETIME),
            ("event", Event.id, Event.occurred_at <= now - context.rules.event_retention),
            ("contact", Contact.id, _unconfirmed_contacts()),
        )
    }


def _finished_mails(now: datetime) -> ColumnElement[bool]:
    return or_(
        OutboxMail.finished_at <= now - MAIL_RETENTION,
        and_(OutboxMail.state == MailState.DECOY, OutboxMail.created_at <= now - DECOY_MAIL_RETENTION),
    )


def _ended_links(now: datetime) -> ColumnElement[bool]:
    return and_(
        or_(*(ended <= now - LINK_RETENTION for ended in (Link.expires_at, Link.used_at, Link.ended_at))),
        ~exists().where(OutboxMail.link_id == Link.id, _MAY_BE_SENT),
    )


def _stale_registrations(now: datetime) -> ColumnElement[bool]:
    # Decoys and ended ones are kept as long as pending ones: each must answer its browser in the same way for the same
    # time.
    return and_(
        Registration.created_at <= now - PENDING_LIFETIME, ~exists().where(Link.registration_id == Registration.id)
    )


def _ended_identities(now: datetime) -> ColumnElement[bool]:
    return or_(Identity.ended_at <= now - IDENTITY_RETENTION, Identity.expires_at <= now - IDENTITY_RETENTION)


def _unconfirmed_contacts() -> ColumnElement[bool]:
    return and_(
        Contact.confirmed_at.is_(None),
        Contact.banned_at.is_(None),  # a ban is not shaken off by waiting
        ~exists().where(Account.contact_id == Contact.id),
        ~exists().where(Registration.contact_id == Contact.id),
        ~exists().where(Link.contact_id == Contact.id),
        ~exists().where(OutboxMail.contact_id == Contact.id, _MAY_BE_SENT),
    )


def _batches(context: Context, key: InstrumentedAttribute[int], condition: ColumnElement[bool]) -> Iterator[int]:
    """Delete the rows that a condition holds for; yields how many went with each batch."""
    database = context.database.without_time_limit()
    while True:
        with database.read() as connection:  # the search may take its time: it holds no lock
            found = list(connection.scalars(select(key).where(condition).limit(SEARCHED)))
        gone = 0
        for start in range(0, len(found), BATCH):
            batch = _delete(database, key, condition, found[start : start + BATCH])
            gone += batch
            yield batch
        if len(found) < SEARCHED or not gone:
            return


@retried
def _delete(
    database: Database, key: InstrumentedAttribute[int], condition: ColumnElement[bool], found: list[int]
) -> int:
    with database.write() as connection:
        # Locked first, then looked at once more: meanwhile somebody may have begun to refer to a row (a registration
        # for a forgotten address), and whoever begins now finds it locked and waits.
        ids = list(connection.scalars(select(key).where(key.in_(found)).with_for_update(skip_locked=True)))
        if key is Link.id:
            _let_go(connection, ids)
        return connection.execute(delete(key.class_).where(key.in_(ids), condition)).rowcount


def _let_go(connection: Connection, links: list[int]) -> None:
    """Mails that are done outlive their links: for the operator, and for as long as other mails."""
    connection.execute(update(OutboxMail).where(OutboxMail.link_id.in_(links), ~_MAY_BE_SENT).values(link_id=None))
