"""End all open state after a restore of the database from a backup.

The backup does not contain which links were used, which identities ended and which emails were sent since it was made.
So all its open links and identities end, and its queued emails are marked dead. Customers must sign in again and
request new links; nothing else changes.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, update

from portal.domain.outbox import MailState, Notice
from portal.storage.models import Device, Handover, Identity, Link, OutboxMail, PendingSignIn

HOLD_REASON = "held back after a restore: it may have been sent already"


@dataclass(frozen=True)
class RestoreCounts:
    """The numbers of rows that were open in the backup."""

    links: int
    identities: int
    mails: int


def end_open_state(connection: Connection, now: datetime) -> RestoreCounts:
    """End every open link and identity, and mark every queued email dead. Idempotent.

    The operator sees the emails in `portal mail list`; `portal mail retry` can still send those without a link.
    """
    links = update(Link).where(Link.c.used_at.is_(None), Link.c.ended_at.is_(None)).values(ended_at=now)
    identities = update(Identity).where(Identity.c.ended_at.is_(None)).values(ended_at=now)
    mails = (
        update(OutboxMail)
        .where(OutboxMail.c.state == MailState.QUEUED)
        .values(state=MailState.DEAD, finished_at=now, claim=None, lease_until=None, reason=HOLD_REASON)
    )
    connection.execute(delete(Handover))  # they are valid for a minute only
    connection.execute(delete(PendingSignIn))
    connection.execute(update(Device).values(trusted_until=None))
    # They were sent by now, and are not to be kept.
    connection.execute(delete(OutboxMail).where(OutboxMail.c.notice == Notice.ERASED))
    return RestoreCounts(*(connection.execute(statement).rowcount for statement in (links, identities, mails)))
