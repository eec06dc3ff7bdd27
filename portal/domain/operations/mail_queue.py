"""List, count and requeue emails for an operator."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from sqlalchemy import Connection, case, func, select, update

from portal.domain.outbox import MailState
from portal.storage.clock import Clock
from portal.storage.models import OutboxMail


@dataclass(frozen=True)
class ListedMail:
    """An email as the operator sees it."""

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


def list_mails(connection: Connection, organisation_id: int | None, limit: int) -> list[ListedMail]:
    """List the emails of one organisation or of all, the newest first, without decoys."""
    statement = (
        select(*(OutboxMail.c[field.name] for field in fields(ListedMail)))
        .where(OutboxMail.c.state != MailState.DECOY)
        .order_by(OutboxMail.c.id.desc())
        .limit(limit)
    )
    if organisation_id is not None:
        statement = statement.where(OutboxMail.c.organisation_id == organisation_id)
    return [ListedMail(**row._asdict()) for row in connection.execute(statement)]


def queued_mails(connection: Connection, clock: Clock) -> tuple[int, timedelta]:
    """Return the number of queued emails and the age of the oldest, without those that are meant to be sent later."""
    now = clock.shared(connection)
    waiting_since = case((OutboxMail.c.attempts == 0, OutboxMail.c.due_at), else_=OutboxMail.c.created_at)
    statement = select(func.count().label("number"), func.min(waiting_since).label("oldest"), now.label("now"))
    statement = statement.where(OutboxMail.c.state == MailState.QUEUED, waiting_since <= now)
    row = connection.execute(statement).one()
    return row.number, row.now - row.oldest if row.number else timedelta(0)


def requeue(connection: Connection, mail_id: int, clock: Clock) -> bool:
    """Make a dead or queued email due now; return False if there is none with this id.

    An expired one stays expired: its link cannot be used, and the customer can request a new one. An email older than
    24 hours gets one more attempt.
    """
    statement = (
        update(OutboxMail)
        .where(OutboxMail.c.id == mail_id, OutboxMail.c.state.in_((MailState.QUEUED, MailState.DEAD)))
        .values(
            state=MailState.QUEUED,
            due_at=clock.shared(connection),
            finished_at=None,
            attempts=case((OutboxMail.c.state == MailState.DEAD, 0), else_=OutboxMail.c.attempts),
        )
        .returning(OutboxMail.c.id)
    )
    return connection.execute(statement).one_or_none() is not None
