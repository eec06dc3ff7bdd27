"""Claim queued emails and store the result of the delivery: sent, retried, dead or expired.

A claim is a lease: while it is valid no other worker takes the row, and it expires if the worker was killed. A result
is written only if the worker still has the claim, so that a worker that was frozen longer than its lease cannot
overwrite the result of another one. No transaction is open while an email is sent.

All times are from `Clock.shared`, because the clocks of the workers' machines may differ. `clock_steps` handles a
shared clock that was set back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, or_, select, update

from portal.domain.organisations import Organisation, columns, read_organisation
from portal.domain.outbox import MailState, Notice
from portal.domain.tokens import Purpose
from portal.storage.clock import Clock
from portal.storage.models import Link, OutboxMail
from portal.storage.models import Organisation as OrganisationRow

LEASE = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(hours=24)
"""An attempt that fails later than this after the email was queued is the last one."""
_BACK_OFF = (9, 30, 60, 120, 300, 600)
"""Seconds until the next attempt after the first failed one, the second, and so on; the last value is then repeated."""
_JITTER = 0.3
"""The random share by which each delay is shorter or longer, so that retries are spread.

The first delay is 6 to 12 seconds, so that the retry, including the poll interval, is within the promised 15 seconds.
"""
LONGEST_DELAY = timedelta(seconds=_BACK_OFF[-1] * (1 + _JITTER))
_random = SystemRandom()


@dataclass(frozen=True)
class MailedLink:
    """The link in an email. Its token is signed when the email is rendered."""

    purpose: str
    public_id: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None

    @property
    def lifetime(self) -> timedelta:
        """The time from the request of the link to its expiry."""
        return self.expires_at - self.created_at


@dataclass(frozen=True)
class DueMail:
    """An email that this worker has claimed, with all data to render it."""

    link: MailedLink | None
    organisation: Organisation
    claimed_at: datetime
    id: int
    claim: str
    notice: str
    recipient: str | None
    locale: str | None
    message_id: str
    attempts: int
    created_at: datetime
    ip: str | None
    user_agent: str | None
    details: Mapping[str, Any]

    @property
    def obsolete(self) -> str | None:
        """The reason why the email need not be sent any more (its link cannot be used), or None.

        A notice is sent even if its link has ended.

        Expiry is judged by the time in the queue, on the shared clock; `expires_at` is on the clock of another machine.
        """
        if self.link is None or self.link.purpose == Purpose.NOT_ME:
            return None
        if self.link.used_at is not None:
            return "the link was used"
        if self.link.ended_at is not None:
            return "the link was withdrawn"
        return "the link has expired" if self.claimed_at - self.created_at >= self.link.lifetime else None


_mail_by_id = (
    select(
        OutboxMail.c.id,
        OutboxMail.c.claim,
        OutboxMail.c.notice,
        OutboxMail.c.recipient,
        OutboxMail.c.locale,
        OutboxMail.c.message_id,
        OutboxMail.c.attempts,
        OutboxMail.c.created_at,
        OutboxMail.c.ip,
        OutboxMail.c.user_agent,
        OutboxMail.c.details,
        *columns("organisation_"),
        Link.c.purpose,
        Link.c.public_id,
        Link.c.created_at.label("link_created_at"),
        Link.c.expires_at,
        Link.c.used_at,
        Link.c.ended_at,
    )
    .join(OrganisationRow, OrganisationRow.c.id == OutboxMail.c.organisation_id)
    .outerjoin(Link, Link.c.id == OutboxMail.c.link_id)
    .where(OutboxMail.c.id == bindparam("mail_id"))
)


def claim_next(connection: Connection, clock: Clock, claim: str) -> DueMail | None:
    """Claim the urgent email that has been due longest, else the other one, for one lease; return None if none is due.

    Urgent emails come first, however many others are queued. `claim` must be a new random text each time: it identifies
    this claim. Of any number of workers one gets the row.
    """
    # Two statements: each finds its row by the index, however long the queue of the other kind is.
    for urgent in (True, False):
        claimed = _claim_row(connection, clock, claim, urgent=urgent)
        if claimed is not None:
            break
    else:
        return None
    row = connection.execute(_mail_by_id, {"mail_id": claimed.id}).one()
    link = None
    if row.public_id is not None:
        link = MailedLink(
            purpose=row.purpose,
            public_id=row.public_id,
            created_at=row.link_created_at,
            expires_at=row.expires_at,
            used_at=row.used_at,
            ended_at=row.ended_at,
        )
    return DueMail(
        link=link,
        organisation=read_organisation(row, "organisation_"),
        claimed_at=claimed.lease_until - LEASE,
        id=row.id,
        claim=row.claim,
        notice=row.notice,
        recipient=row.recipient,
        locale=row.locale,
        message_id=row.message_id,
        attempts=row.attempts,
        created_at=row.created_at,
        ip=row.ip,
        user_agent=row.user_agent,
        details=row.details,
    )


def _claim_row(connection: Connection, clock: Clock, claim: str, *, urgent: bool) -> Row[*tuple[Any, ...]] | None:
    now = clock.shared(connection)
    next_due = (
        select(OutboxMail.c.id)
        .where(
            OutboxMail.c.state == MailState.QUEUED,
            OutboxMail.c.is_urgent == urgent,
            OutboxMail.c.due_at <= now,
            or_(OutboxMail.c.lease_until.is_(None), OutboxMail.c.lease_until <= now),
        )
        .order_by(OutboxMail.c.due_at, OutboxMail.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL: workers do not wait for each other; SQLite has one writer
    )
    take = (
        update(OutboxMail)
        .where(OutboxMail.c.id == next_due.scalar_subquery())
        .values(claim=claim, lease_until=clock.shared(connection, LEASE))
        .returning(OutboxMail.c.id, OutboxMail.c.lease_until)
    )
    return connection.execute(take).one_or_none()


def renew(connection: Connection, mail: DueMail, clock: Clock) -> bool:
    """Extend the lease, while the mail server is slow. Return False if the claim was lost."""
    return _write(connection, mail, lease_until=clock.shared(connection, LEASE))


def mark_sent(connection: Connection, mail: DueMail, clock: Clock) -> bool:
    """Mark an email as accepted by the mail server."""
    return _finish(connection, mail, MailState.SENT, clock, reason=None)


def mark_expired(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """Mark an email as obsolete and not sent."""
    return _finish(connection, mail, MailState.EXPIRED, clock, reason=reason)


def mark_dead(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """Give an email up after a permanent failure."""
    return _finish(connection, mail, MailState.DEAD, clock, reason=reason, attempts=mail.attempts + 1)


def retry_later(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """Schedule the next attempt after a failed one, with a growing delay; give up 24 hours after queuing."""
    if mail.claimed_at - mail.created_at >= GIVE_UP_AFTER:
        return mark_dead(connection, mail, clock, f"given up after 24 hours: {reason}")
    return _write(
        connection,
        mail,
        claim=None,
        lease_until=None,
        attempts=mail.attempts + 1,
        due_at=clock.shared(connection, delay_after(mail.attempts + 1)),
        reason=reason,
    )


def hand_back(connection: Connection, mail: DueMail) -> bool:
    """Release the claim without counting an attempt, after a failure that had nothing to do with this email."""
    return _write(connection, mail, claim=None, lease_until=None)


def delay_after(attempts: int) -> timedelta:
    """Return the delay after a number of failed attempts: 6 to 12 seconds at first, about 10 minutes in the end."""
    seconds = _BACK_OFF[min(attempts, len(_BACK_OFF)) - 1]
    return timedelta(seconds=seconds * _random.uniform(1 - _JITTER, 1 + _JITTER))


def _finish(connection: Connection, mail: DueMail, state: MailState, clock: Clock, **values: object) -> bool:
    if mail.notice == Notice.ERASED:  # nothing is kept of an erased customer, the address included
        return connection.execute(delete(OutboxMail).where(*_is_claimed(mail))).rowcount > 0
    finished_at = clock.shared(connection)
    return _write(connection, mail, state=state, finished_at=finished_at, claim=None, lease_until=None, **values)


def _write(connection: Connection, mail: DueMail, **values: object) -> bool:
    """Update an email if this worker still has the claim; return whether it has."""
    statement = update(OutboxMail).where(*_is_claimed(mail)).values(**values)
    return connection.execute(statement.returning(OutboxMail.c.id)).one_or_none() is not None


def _is_claimed(mail: DueMail) -> tuple[ColumnElement[bool], ...]:
    return OutboxMail.c.id == mail.id, OutboxMail.c.claim == mail.claim, OutboxMail.c.state == MailState.QUEUED
