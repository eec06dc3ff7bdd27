"""What becomes of queued mails: claimed by one worker at a time, then sent, tried again, set aside or expired.

A claim is a lease: while it lasts no other worker takes the row, and the row of a killed worker is free again when it
runs out. Each result is written only where the claim is still the writer's, so that a worker that was frozen past its
lease, and whose mail another one has taken up, changes nothing when it wakes. No transaction is open while a mail
travels.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Any

from sqlalchemy import Boolean, Connection, bindparam, case, func, or_, select, update

from portal.domain.models import Link, OutboxMail
from portal.domain.models import Organisation as OrganisationRow
from portal.domain.organisations import COLUMNS, Organisation, read_organisation
from portal.domain.outbox import MailState

LEASE = timedelta(seconds=60)
GIVE_UP_AFTER = timedelta(hours=24)
"""A try that fails so long after the mail was queued was the last one."""
_BACK_OFF = (9, 30, 60, 120, 300, 600)
"""Seconds until the next try, after one failed try, after two, and so on; the last holds for all that follow."""
_JITTER = 0.3
"""The share by which each delay is shorter or longer at random, so that what failed together does not return together.

With it the first delay is 6 to 12 seconds: within the 15 that contract.md promises, what is spent on noticing included.
"""
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
    id: int
    claim: str
    notice: str
    recipient: str | None
    locale: str | None
    message_id: str
    attempts: int
    created_at: datetime
    due_at: datetime

    def obsolete(self, now: datetime) -> str | None:
        """Why the mail is of no use any more, if so: nobody wants a link that opens nothing."""
        if self.link is None:
            return None
        if self.link.used_at is not None:
            return "the link was used"
        if self.link.ended_at is not None:
            return "the link was withdrawn"
        return "the link has expired" if self.link.expires_at <= now else None


@dataclass(frozen=True)
class ListedMail:
    """A mail as the operator sees it."""

    id: int
    notice: str
    recipient: str | None
    state: str
    attempts: int
    reason: str | None
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None


_next_due = (
    select(OutboxMail.id)
    .where(
        OutboxMail.state == MailState.QUEUED,
        OutboxMail.is_urgent == bindparam("urgent", type_=Boolean),
        OutboxMail.due_at <= bindparam("now"),
        or_(OutboxMail.lease_until.is_(None), OutboxMail.lease_until <= bindparam("now")),
    )
    .order_by(OutboxMail.due_at, OutboxMail.id)
    .limit(1)
    .with_for_update(skip_locked=True)  # PostgreSQL: workers pass each other by; SQLite has one writer and ignores it
)
_claim = (
    update(OutboxMail)
    .where(OutboxMail.id == _next_due.scalar_subquery())
    .values(claim=bindparam("new_claim"), lease_until=bindparam("new_lease"))
    .returning(OutboxMail.id)
)
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
        OutboxMail.due_at,
        *COLUMNS,
        Link.purpose,
        Link.public_id,
        Link.created_at,
        Link.expires_at,
        Link.used_at,
        Link.ended_at,
    )
    .join(OrganisationRow, OrganisationRow.id == OutboxMail.organisation_id)
    .outerjoin(Link, Link.id == OutboxMail.link_id)
    .where(OutboxMail.id == bindparam("mail_id"))
)


def claim_next(connection: Connection, now: datetime, claim: str) -> DueMail | None:
    """Take the urgent mail that has been due longest, else any other, for the length of a lease; None when none is due.

    However many others wait, an urgent one does not wait behind them. `claim` must be a new random text each time: it
    is what tells this taking of the mail from every other. Of any number of workers one gets the row.
    """
    parameters = {"now": now, "new_claim": claim, "new_lease": now + LEASE}
    # Two statements: each finds its row in the index at once, however long the other kind's queue is.
    for urgent in (True, False):
        mail_id = connection.execute(_claim, {**parameters, "urgent": urgent}).scalar_one_or_none()
        if mail_id is not None:
            break
    else:
        return None
    row = connection.execute(_claimed, {"mail_id": mail_id}).one()
    *values, purpose, public_id, created_at, expires_at, used_at, ended_at = row
    mail, organisation = values[: -len(COLUMNS)], read_organisation(values[-len(COLUMNS) :])
    link = MailedLink(purpose, public_id, created_at, expires_at, used_at, ended_at) if public_id is not None else None
    return DueMail(link, organisation, *mail)


def renew(connection: Connection, mail: DueMail, now: datetime) -> bool:
    """Begin the lease anew while a slow conversation with the mail server lasts."""
    return _write(connection, mail, lease_until=now + LEASE)


def mark_sent(connection: Connection, mail: DueMail, now: datetime) -> bool:
    """The mail server has taken the mail over."""
    return _finish(connection, mail, MailState.SENT, now, reason=None)


def mark_expired(connection: Connection, mail: DueMail, now: datetime, reason: str) -> bool:
    """The mail is of no use any more and was not sent."""
    return _finish(connection, mail, MailState.EXPIRED, now, reason=reason)


def set_aside(connection: Connection, mail: DueMail, now: datetime, reason: str) -> bool:
    """Give the mail up: a try has failed and no other will fare better."""
    return _finish(connection, mail, MailState.DEAD, now, reason=reason, attempts=mail.attempts + 1)


def retry_later(connection: Connection, mail: DueMail, now: datetime, reason: str) -> bool:
    """A try has failed: put the next one off, a little longer each time; 24 hours after queuing, give up."""
    if now - mail.created_at >= GIVE_UP_AFTER:
        return set_aside(connection, mail, now, f"given up after 24 hours: {reason}")
    return _write(
        connection,
        mail,
        claim=None,
        lease_until=None,
        attempts=mail.attempts + 1,
        due_at=now + delay_after(mail.attempts + 1),
        reason=reason,
    )


def hand_back(connection: Connection, mail: DueMail, due_at: datetime) -> bool:
    """Return the mail untried, to be due at `due_at`: whatever was in the way had nothing to do with it."""
    return _write(connection, mail, claim=None, lease_until=None, due_at=due_at)


def delay_after(attempts: int) -> timedelta:
    """How long to wait after so many failed tries: between 6 and 12 seconds at first, some 10 minutes in the end."""
    seconds = _BACK_OFF[min(attempts, len(_BACK_OFF)) - 1]
    return timedelta(seconds=seconds * _random.uniform(1 - _JITTER, 1 + _JITTER))


_listed = (
    select(*(getattr(OutboxMail, field.name) for field in fields(ListedMail)))
    .where(OutboxMail.state != MailState.VOID)
    .order_by(OutboxMail.id.desc())
)


def list_mails(connection: Connection, organisation_id: int | None, limit: int) -> list[ListedMail]:
    """The newest mails first, of one organisation or of all; void ones, which are no mails, left out."""
    statement = _listed.limit(limit)
    if organisation_id is not None:
        statement = statement.where(OutboxMail.organisation_id == organisation_id)
    return [ListedMail(*row) for row in connection.execute(statement)]


_backlog = select(func.count(), func.min(OutboxMail.created_at)).where(OutboxMail.state == MailState.QUEUED)


def backlog(connection: Connection) -> tuple[int, datetime | None]:
    """How many mails wait to be sent, and since when the oldest does."""
    waiting, oldest = connection.execute(_backlog).one()
    return waiting, oldest


_requeue = (
    update(OutboxMail)
    .where(OutboxMail.id == bindparam("mail_id"), OutboxMail.state.in_((MailState.QUEUED, MailState.DEAD)))
    .values(
        state=MailState.QUEUED,
        due_at=bindparam("now"),
        finished_at=None,
        attempts=case((OutboxMail.state == MailState.DEAD, 0), else_=OutboxMail.attempts),
    )
    .returning(OutboxMail.id)
)


def requeue(connection: Connection, mail_id: int, now: datetime) -> bool:
    """Make a dead or waiting mail due now; False when there is none with this id.

    An expired one stays expired: its link opens nothing, and the customer can ask for a new one. A mail older than
    24 hours gets one more try.
    """
    return connection.execute(_requeue, {"mail_id": mail_id, "now": now}).one_or_none() is not None


def _finish(connection: Connection, mail: DueMail, state: MailState, now: datetime, **values: Any) -> bool:
    return _write(connection, mail, state=state, finished_at=now, claim=None, lease_until=None, **values)


def _write(connection: Connection, mail: DueMail, **values: Any) -> bool:
    """Change a row whose claim is still ours; whether it was."""
    statement = update(OutboxMail).where(
        OutboxMail.id == mail.id, OutboxMail.claim == mail.claim, OutboxMail.state == MailState.QUEUED
    )
    return connection.execute(statement.values(**values).returning(OutboxMail.id)).one_or_none() is not None
