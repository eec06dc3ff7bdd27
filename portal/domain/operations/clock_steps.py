"""Make queued emails due again after the shared clock was set back.

A due time or lease that is further in the future than possible was written before the clock was set back, and is moved
to now. This applies to the lease of an email that is just being sent too, so one may be sent twice at such a moment,
with the same Message-ID.

The search reads all queued emails (about 50 ms for 100,000), so it is not part of `claim_next`, which every worker runs
each second.
"""

from sqlalchemy import ColumnElement, Connection, and_, case, or_, select, update

from portal.domain.operations.mail_delivery import LEASE, LONGEST_DELAY
from portal.domain.outbox import BUNDLING, MailState, Notice
from portal.storage.clock import Clock
from portal.storage.database import Database
from portal.storage.models import OutboxMail

_PLAUSIBLE_LEASE = 2 * LEASE
"""A lease that ends later was taken before the clock was set back. Twice its length, so that small steps and parallel
workers, one of which read the clock earlier, change nothing.
"""
_PLAUSIBLE_DELAY = 2 * LONGEST_DELAY
"""A retry that is due later was scheduled before the clock was set back."""
_BATCH = 500


def bring_forward(database: Database, clock: Clock) -> int:
    """Make emails due that were written before the clock was set back; return their number.

    Writes in small batches, so that no request waits long for the write lock, and only if there are any.
    """
    with database.read() as connection:  # the search may be slow: it takes no lock
        found = list(connection.scalars(select(OutboxMail.c.id).where(_is_stranded(connection, clock))))
    return sum(_bring_forward(database, clock, found[start : start + _BATCH]) for start in range(0, len(found), _BATCH))


def _bring_forward(database: Database, clock: Clock, found: list[int]) -> int:
    with database.write() as connection:
        now = clock.shared(connection)
        # Checked again under the lock; rows locked by another worker are skipped: it has read the new time.
        ids = select(OutboxMail.c.id).where(OutboxMail.c.id.in_(found), _is_stranded(connection, clock))
        changed = connection.execute(
            update(OutboxMail)
            .where(OutboxMail.c.id.in_(ids.with_for_update(skip_locked=True).scalar_subquery()))
            .values(
                due_at=case((_is_due_too_late(connection, clock), now), else_=OutboxMail.c.due_at),
                lease_until=case((_is_leased_too_long(connection, clock), now), else_=OutboxMail.c.lease_until),
            )
        )
        return changed.rowcount


def _is_stranded(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    too_far = or_(_is_due_too_late(connection, clock), _is_leased_too_long(connection, clock))
    return and_(OutboxMail.c.state == MailState.QUEUED, too_far)


def _is_due_too_late(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    was_never_put_off = OutboxMail.c.attempts == 0
    is_bundled = OutboxMail.c.notice == Notice.NEW_SIGN_IN
    return or_(
        and_(was_never_put_off, ~is_bundled, OutboxMail.c.due_at > clock.shared(connection)),
        and_(~is_bundled, OutboxMail.c.due_at > clock.shared(connection, _PLAUSIBLE_DELAY)),
        OutboxMail.c.due_at > clock.shared(connection, BUNDLING),
    )


def _is_leased_too_long(connection: Connection, clock: Clock) -> ColumnElement[bool]:
    return OutboxMail.c.lease_until > clock.shared(connection, _PLAUSIBLE_LEASE)
