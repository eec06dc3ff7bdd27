"""After an old copy of the database was put back: what it has forgotten must not happen a second time.

The copy does not know which links were used, which identities were ended and which mails were sent since it was made.
So none of its open ones counts: links and identities end, mails that wait are set aside. Customers sign in again and
ask for a new link; nothing else of theirs changes.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, update

from portal.domain.outbox import MailState
from portal.storage.models import Handover, Identity, Link, OutboxMail

HELD_BACK = "held back after a restore: it may have been sent already"


@dataclass(frozen=True)
class RestoreCounts:
    """How many of each were still open in the copy."""

    links: int
    identities: int
    mails: int


def settle(connection: Connection, now: datetime) -> RestoreCounts:
    """End every open link and identity, set aside every mail that waits. Doing it twice changes nothing more.

    The operator sees the mails in `portal mail list`, and `portal mail retry` still sends what carries no link.
    """
    links = update(Link).where(Link.used_at.is_(None), Link.ended_at.is_(None)).values(ended_at=now)
    identities = update(Identity).where(Identity.ended_at.is_(None)).values(ended_at=now)
    mails = (
        update(OutboxMail)
        .where(OutboxMail.state == MailState.QUEUED)
        .values(state=MailState.DEAD, finished_at=now, claim=None, lease_until=None, reason=HELD_BACK)
    )
    connection.execute(delete(Handover))  # they lived for a minute
    return RestoreCounts(*(connection.execute(statement).rowcount for statement in (links, identities, mails)))
