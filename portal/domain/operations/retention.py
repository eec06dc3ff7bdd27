"""Delete expired and unneeded rows (data retention).

Rows that an unsent email refers to are kept, whatever their age. Deletions are in small batches, each in its own
transaction, so that no request waits long for the write lock; the next run continues an interrupted one.

Except for events by time, the searches have no index: with 1,000,000 events and 200,000 each of links, emails,
identities and contacts, each takes about 30 ms on either database, once an hour, without a lock. Indexes on all these
times would have to be updated by every sign-in.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Connection, and_, delete, exists, or_, select, update

from portal.domain import contacts, devices
from portal.domain.context import Context
from portal.domain.erasure import erase
from portal.domain.operations.ban import lift_expired_bans
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
    PendingSignIn,
    Registration,
    UsedChallenge,
)

LINK_RETENTION = timedelta(days=7)
"""For this time after its end, a link's page can still say that it was used, has expired or was withdrawn."""
MAIL_RETENTION = timedelta(days=30)
DECOY_MAIL_RETENTION = timedelta(days=1)
HANDOVER_RETENTION = timedelta(days=1)
CHALLENGE_RETENTION = timedelta(days=1)
"""Longer than the clocks of two servers differ: a challenge that one of them still accepts must be known as used."""
IDENTITY_RETENTION = timedelta(days=30)
BATCH = 500
SEARCH_LIMIT = 50_000
"""Maximum number of rows per search: a first run may find millions."""

_MAY_BE_SENT = OutboxMail.c.state.in_((MailState.QUEUED, MailState.DEAD))
"""Including dead ones, which the operator may retry."""


def purge(context: Context) -> dict[str, int]:
    """Lift the bans that have ended, and delete all rows past their retention; return how many, the rows by table.

    First it erases the closed accounts whose time has come. Then in this order, because emails refer to links, links to
    registrations, and registrations to contacts; an address that was never confirmed is deleted with its contact. Uses
    the earlier of the process's and the shared time, because a clock that is far ahead would delete rows too early, for
    good.
    """
    with context.database.read() as connection:
        now = min(context.clock(), connection.execute(select(context.clock.shared(connection))).scalar_one())
    done = {"closed account": _erase_closed(context, now), "ban": lift_expired_bans(context, now)}
    return done | {
        table: sum(_batches(context, key, condition))
        for table, key, condition in (
            ("outbox", OutboxMail.c.id, _finished_mails(now)),
            ("link", Link.c.id, _ended_links(now)),
            ("registration", Registration.c.id, _stale_registrations(now)),
            ("handover", Handover.c.id, Handover.c.expires_at <= now - HANDOVER_RETENTION),
            ("identity", Identity.c.id, _ended_identities(now)),
            ("used_challenge", UsedChallenge.c.id, UsedChallenge.c.expires_at <= now - CHALLENGE_RETENTION),
            ("pending_sign_in", PendingSignIn.c.id, PendingSignIn.c.expires_at <= now),
            ("device", Device.c.id, Device.c.seen_at <= now - devices.LIFETIME),
            ("event", Event.c.id, Event.c.occurred_at <= now - context.rules.event_retention),
            ("contact", Contact.c.id, _unconfirmed_contacts()),
        )
    }


def _erase_closed(context: Context, now: datetime) -> int:
    """Erase the closed accounts whose time has come, each in a transaction of its own; return their number."""
    with context.database.without_time_limit().read() as connection:
        found = list(connection.scalars(select(Contact.c.id).where(Contact.c.erase_at <= now)))
    erased = sum(_erase_if_closed(context, contact_id, now) for contact_id in found)
    if erased:
        context.database.scrub()
    return erased


@retried
def _erase_if_closed(context: Context, contact_id: int, now: datetime) -> bool:
    with context.database.write() as connection:
        # Locked and checked again: the customer may keep the account, and another worker may erase it, meanwhile.
        contact = contacts.lock_even_closed(connection, contact_id)
        if contact is None or contact.erase_at is None or contact.erase_at > now:
            return False
        erase(connection, context, contact_id)
    return True


def _finished_mails(now: datetime) -> ColumnElement[bool]:
    return or_(
        OutboxMail.c.finished_at <= now - MAIL_RETENTION,
        and_(OutboxMail.c.state == MailState.DECOY, OutboxMail.c.created_at <= now - DECOY_MAIL_RETENTION),
    )


def _ended_links(now: datetime) -> ColumnElement[bool]:
    return and_(
        or_(*(ended <= now - LINK_RETENTION for ended in (Link.c.expires_at, Link.c.used_at, Link.c.ended_at))),
        ~exists().where(OutboxMail.c.link_id == Link.c.id, _MAY_BE_SENT),
    )


def _stale_registrations(now: datetime) -> ColumnElement[bool]:
    # Decoys and ended registrations are kept as long as pending ones, so that their browser gets the same answers.
    return and_(
        Registration.c.created_at <= now - PENDING_LIFETIME,
        ~exists().where(Link.c.registration_id == Registration.c.id),
    )


def _ended_identities(now: datetime) -> ColumnElement[bool]:
    return or_(Identity.c.ended_at <= now - IDENTITY_RETENTION, Identity.c.expires_at <= now - IDENTITY_RETENTION)


def _unconfirmed_contacts() -> ColumnElement[bool]:
    return and_(
        Contact.c.confirmed_at.is_(None),
        Contact.c.banned_at.is_(None),
        ~exists().where(Account.c.contact_id == Contact.c.id),
        ~exists().where(Registration.c.contact_id == Contact.c.id),
        ~exists().where(Link.c.contact_id == Contact.c.id),
        ~exists().where(OutboxMail.c.contact_id == Contact.c.id, _MAY_BE_SENT),
    )


def _batches(context: Context, key: Column[int], condition: ColumnElement[bool]) -> Iterator[int]:
    """Delete the rows that match a condition; yield the number of deleted rows of each batch."""
    database = context.database.without_time_limit()
    while True:
        with database.read() as connection:  # the search may be slow: it takes no lock
            found = list(connection.scalars(select(key).where(condition).limit(SEARCH_LIMIT)))
        deleted = 0
        for start in range(0, len(found), BATCH):
            batch = _delete(database, key, condition, found[start : start + BATCH])
            deleted += batch
            yield batch
        if len(found) < SEARCH_LIMIT or not deleted:
            return


@retried
def _delete(database: Database, key: Column[int], condition: ColumnElement[bool], found: list[int]) -> int:
    with database.write() as connection:
        # Locked, then checked again: another request may refer to a row meanwhile (a registration for the address of an
        # unconfirmed contact); one that comes later waits for the lock.
        ids = list(connection.scalars(select(key).where(key.in_(found)).with_for_update(skip_locked=True)))
        if key is Link.c.id:
            _detach_mails(connection, ids)
        return connection.execute(delete(key.table).where(key.in_(ids), condition)).rowcount


def _detach_mails(connection: Connection, links: list[int]) -> None:
    """Remove the reference of finished emails to links, because they are kept longer, for the operator."""
    connection.execute(update(OutboxMail).where(OutboxMail.c.link_id.in_(links), ~_MAY_BE_SENT).values(link_id=None))
