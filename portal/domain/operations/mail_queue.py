"""The outbox as the operator sees it: what waits, what was sent, what is to be tried again."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select, update

from portal.domain.outbox import MailState
from portal.storage.clock import Clock
from portal.storage.models import OutboxMail


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

    @property
    def tries(self) -> int:
        """How often it was handed to the mail server: of a sent one the last try, which did not fail, counts too."""
        return self.attempts + (self.state == MailState.SENT)


_listed = (
    select(*(getattr(OutboxMail, field.name) for field in fields(ListedMail)))
    .where(OutboxMail.state != MailState.DECOY)
    .order_by(OutboxMail.id.desc())
)


def list_mails(connection: Connection, organisation_id: int | None, limit: int) -> list[ListedMail]:
    """The newest mails first, of one organisation or of all; void ones, which are no mails, left out."""
    statement = _listed.limit(limit)
    if organisation_id is not None:
        statement = statement.where(OutboxMail.organisation_id == organisation_id)
    return [ListedMail(**row._asdict()) for row in connection.execute(statement)]


def waiting_mails(connection: Connection, clock: Clock) -> tuple[int, timedelta]:
    """How many mails wait to be sent, and how long the oldest has waited."""
    found = select(func.count(), func.min(OutboxMail.created_at), clock.shared(connection))
    waiting, oldest, now = connection.execute(found.where(OutboxMail.state == MailState.QUEUED)).one()
    return waiting, now - oldest if waiting else timedelta(0)


def requeue(connection: Connection, mail_id: int, clock: Clock) -> bool:
    """Make a dead or waiting mail due now; False when there is none with this id.

    An expired one stays expired: its link opens nothing, and the customer can ask for a new one. A mail older than
    24 hours gets one more try.
    """
    statement = (
        update(OutboxMail)
        .where(OutboxMail.id == mail_id, OutboxMail.state.in_((MailState.QUEUED, MailState.DEAD)))
        .values(
            state=MailState.QUEUED,
            due_at=clock.shared(connection),
            finished_at=None,
            attempts=case((OutboxMail.state == MailState.DEAD, 0), else_=OutboxMail.attempts),
        )
        .returning(OutboxMail.id)
    )
    return connection.execute(statement).one_or_none() is not None
