"""Mails after the shared clock was set back: nobody waits until it is again as late as it was.

Whatever lies further ahead than it could was written before the step, and is brought forward. That is also believed of
the lease of a mail that is on its way at this moment, so at the step one may go out twice, with the same Message-ID.

Looking for them walks all mails that wait (some 50 ms with 100,000), so it is no part of claiming one, which every
worker does each second.
"""

from sqlalchemy import ColumnElement, Connection, and_, case, or_, select, update

from portal.domain.operations.mail_delivery import LEASE, LONGEST_DELAY
from portal.domain.outbox import MailState
from portal.storage.clock import Clock
from portal.storage.database import Database
from portal.storage.models import OutboxMail

NO_LEASE = 2 * LEASE
"""A lease that ends still further ahead was taken before the clock was set back.

Twice its length, so that a small step costs nothing, and nor does it when of two workers the one that has looked at the
clock first comes second.
"""
NO_DELAY = 2 * LONGEST_DELAY
"""A put-off that ends still further ahead was made before the clock was set back."""
BATCH = 500


def bring_forward(database: Database, clock: Clock) -> int:
    """Make due at once what was written before the clock was set back, and return how many mails that were.

    It only reads where there are none; they are written in small batches, so that no customer waits for the write lock.
    """
    with database.read() as connection:  # the search may take its time: it holds no lock
        found = list(connection.scalars(select(OutboxMail.id).where(_is_stranded(connection, clock))))
    return sum(_bring_forward(database, clock, found[start : start + BATCH]) for start in range(0, len(found), BATCH))


def _bring_forward(database: Database, clock: Clock, found: list[int]) -> int:
    with database.write() as connection:
        now = clock.shared(connection)
        # Looked at once more, and passed over where another worker writes (PostgreSQL): that one knows the new time.
        ids = select(OutboxMail.id).where(OutboxMail.id.in_(found), _is_stranded(connection, clock))
        changed = connection.execute(
            update(OutboxMail)
            .where(OutboxMail.id.in_(ids.with_for_update(skip_locked=True).scalar_subquery()))
            .values(
                due_at=case((_is_due_too_late(connection, clock), now), else_=OutboxMail.due_at),
                lease_until=case((_is_leased_too_long(connection, clock), now), else_=OutboxMail.lease_until),
            )
        )
        return changed.rowcount


def _is_stranded(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    too_far = or_(_is_due_too_late(connection, clock), _is_leased_too_long(connection, clock))
    return and_(OutboxMail.state == MailState.QUEUED, too_far)


def _is_due_too_late(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    was_never_put_off = OutboxMail.attempts == 0
    return or_(
        and_(was_never_put_off, OutboxMail.due_at > clock.shared(connection)),
        OutboxMail.due_at > clock.shared(connection, NO_DELAY),
    )


def _is_leased_too_long(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    return OutboxMail.lease_until > clock.shared(connection, NO_LEASE)
