"""What becomes of queued mails: claimed by one worker at a time, then sent, tried again, set aside or expired.

A claim is a lease: while it lasts no other worker takes the row, and the row of a killed worker is free again when it
runs out. Each result is written only where the claim is still the writer's, so that a worker that was frozen past its
lease, and whose mail another one has taken up, changes nothing when it wakes. No transaction is open while a mail
travels.

All times are those of `Clock.shared`, so that workers on machines whose clocks differ agree. What becomes of mails when
that clock itself is set back stands in `clock_steps`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select, update

from portal.domain.organisations import Organisation, columns, read_organisation
from portal.domain.outbox import MailState
from portal.storage.clock import Clock
from portal.storage.models import Link, OutboxMail
from portal.storage.models import Organisation as OrganisationRow

LEASE = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(hours=24)
"""A try that fails so long after the mail was queued was the last one."""
_BACK_OFF = (9, 30, 60, 120, 300, 600)
"""Seconds until the next try, after one failed try, after two, and so on; the last holds for all that follow."""
_JITTER = 0.3
"""The share by which each delay is shorter or longer at random, so that what failed together does not return together.

With it the first delay is 6 to 12 seconds: within the 15 that are promised, what is spent on noticing included.
"""
LONGEST_DELAY = timedelta(seconds=_BACK_OFF[-1] * (1 + _JITTER))
_random = SystemRandom()


@dataclass(frozen=True)
class MailedLink:
    """The link that a mail carries. Its token is signed when the mail is rendered."""

    purpose: str
    public_id: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    ended_at: datetime | None

    @property
    def lifetime(self) -> timedelta:
        """How long the link is good for, from when it was asked for."""
        return self.expires_at - self.created_at


@dataclass(frozen=True)
class DueMail:
    """A mail that this worker has claimed, with all that is needed to render it."""

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

    @property
    def obsolete(self) -> str | None:
        """Why the mail is of no use any more, if so: nobody wants a link that opens nothing.

        How long it has waited decides, not when its link ends: that is by the clock of the machine that made the link.
        """
        if self.link is None:
            return None
        if self.link.used_at is not None:
            return "the link was used"
        if self.link.ended_at is not None:
            return "the link was withdrawn"
        return "the link has expired" if self.claimed_at - self.created_at >= self.link.lifetime else None


_claimed = (
    select(
        OutboxMail.id,
        OutboxMail.claim,
        OutboxMail.notice,
        OutboxMail.recipient,
        OutboxMail.locale,
        OutboxMail.message_id,
        OutboxMail.attempts,
        OutboxMail.created_at,
        OutboxMail.ip,
        OutboxMail.user_agent,
        *columns("organisation_"),
        Link.purpose,
        Link.public_id,
        Link.created_at.label("link_created_at"),
        Link.expires_at,
        Link.used_at,
        Link.ended_at,
    )
    .join(OrganisationRow, OrganisationRow.id == OutboxMail.organisation_id)
    .outerjoin(Link, Link.id == OutboxMail.link_id)
    .where(OutboxMail.id == bindparam("mail_id"))
)


def claim_next(connection: Connection, clock: Clock, claim: str) -> DueMail | None:
    """Take the urgent mail that has been due longest, else any other, for the length of a lease; None when none is due.

    However many others wait, an urgent one does not wait behind them. `claim` must be a new random text each time: it
    is what tells this taking of the mail from every other. Of any number of workers one gets the row.
    """
    # Two statements: each finds its row in the index at once, however long the other kind's queue is.
    for urgent in (True, False):
        taken = _take_next(connection, clock, claim, urgent=urgent)
        if taken is not None:
            break
    else:
        return None
    row = connection.execute(_claimed, {"mail_id": taken.id}).one()
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
        claimed_at=taken.lease_until - LEASE,
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
    )


def _take_next(connection: Connection, clock: Clock, claim: str, *, urgent: bool) -> Row[*tuple[Any, ...]] | None:
    now = clock.shared(connection)
    next_due = (
        select(OutboxMail.id)
        .where(
            OutboxMail.state == MailState.QUEUED,
            OutboxMail.is_urgent == urgent,
            OutboxMail.due_at <= now,
            or_(OutboxMail.lease_until.is_(None), OutboxMail.lease_until <= now),
        )
        .order_by(OutboxMail.due_at, OutboxMail.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # PostgreSQL: workers pass each other by; SQLite has one writer
    )
    take = (
        update(OutboxMail)
        .where(OutboxMail.id == next_due.scalar_subquery())
        .values(claim=claim, lease_until=clock.shared(connection, LEASE))
        .returning(OutboxMail.id, OutboxMail.lease_until)
    )
    return connection.execute(take).one_or_none()


def renew(connection: Connection, mail: DueMail, clock: Clock) -> bool:
    """Begin the lease anew while a slow conversation with the mail server lasts."""
    return _write(connection, mail, lease_until=clock.shared(connection, LEASE))


def mark_sent(connection: Connection, mail: DueMail, clock: Clock) -> bool:
    """The mail server has taken the mail over."""
    return _finish(connection, mail, MailState.SENT, clock, reason=None)


def mark_expired(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """The mail is of no use any more and was not sent."""
    return _finish(connection, mail, MailState.EXPIRED, clock, reason=reason)


def set_aside(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """Give the mail up: a try has failed and no other will fare better."""
    return _finish(connection, mail, MailState.DEAD, clock, reason=reason, attempts=mail.attempts + 1)


def retry_later(connection: Connection, mail: DueMail, clock: Clock, reason: str) -> bool:
    """A try has failed: put the next one off, a little longer each time; 24 hours after queuing, give up."""
    if mail.claimed_at - mail.created_at >= GIVE_UP_AFTER:
        return set_aside(connection, mail, clock, f"given up after 24 hours: {reason}")
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
    """Return the mail untried, and due as it was: whatever was in the way had nothing to do with it."""
    return _write(connection, mail, claim=None, lease_until=None)


def delay_after(attempts: int) -> timedelta:
    """How long to wait after so many failed tries: between 6 and 12 seconds at first, some 10 minutes in the end."""
    seconds = _BACK_OFF[min(attempts, len(_BACK_OFF)) - 1]
    return timedelta(seconds=seconds * _random.uniform(1 - _JITTER, 1 + _JITTER))


def _finish(connection: Connection, mail: DueMail, state: MailState, clock: Clock, **values: Any) -> bool:
    finished_at = clock.shared(connection)
    return _write(connection, mail, state=state, finished_at=finished_at, claim=None, lease_until=None, **values)


def _write(connection: Connection, mail: DueMail, **values: Any) -> bool:
    """Change a row whose claim is still ours; whether it was."""
    statement = update(OutboxMail).where(
        OutboxMail.id == mail.id, OutboxMail.claim == mail.claim, OutboxMail.state == MailState.QUEUED
    )
    return connection.execute(statement.values(**values).returning(OutboxMail.id)).one_or_none() is not None
