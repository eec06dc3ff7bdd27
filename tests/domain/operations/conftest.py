"""The outbox, for the tests of mail delivery and the mail queue."""

from typing import Any

import pytest
from sqlalchemy import Row, Select, select

from portal.domain.context import Context, Visitor
from portal.domain.operations import mail_delivery, mail_queue
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.outbox import NewMail, Notice, queue
from portal.storage.models import OutboxMail
from tests.domain.scene import ADA


class Outbox:
    """The outbox, as one worker or operator sees it; each call is a transaction of its own."""

    def __init__(self, context: Context, visitor: Visitor) -> None:
        self.context = context
        self.visitor = visitor
        self._claims = iter(f"claim-{number}" for number in range(1_000_000))

    def queue(self, *, wanted: bool = True) -> None:
        with self.context.database.write() as connection:
            mail = NewMail(Notice.PASSWORD_CHANGED, None, ADA, wanted=wanted)
            queue(connection, self.visitor, mail, self.context.clock)

    def find(self) -> DueMail | None:
        with self.context.database.write() as connection:
            return mail_delivery.claim_next(connection, self.context.clock, next(self._claims))

    def claim(self) -> DueMail:
        mail = self.find()
        assert mail is not None
        return mail

    def write(self, what: Any, mail: DueMail, *arguments: Any) -> bool:
        with self.context.database.write() as connection:
            return bool(what(connection, mail, *arguments))

    def sent(self, mail: DueMail) -> bool:
        return self.write(mail_delivery.mark_sent, mail, self.context.clock)

    def retry(self, mail: DueMail, reason: str = "450 later") -> bool:
        return self.write(mail_delivery.retry_later, mail, self.context.clock, reason)

    def mark_dead(self, mail: DueMail, reason: str = "550 never") -> bool:
        return self.write(mail_delivery.mark_dead, mail, self.context.clock, reason)

    def requeue(self, mail_id: int) -> bool:
        with self.context.database.write() as connection:
            return mail_queue.requeue(connection, mail_id, self.context.clock)

    def listed(self, organisation_id: int | None = None, limit: int = 100) -> list[mail_queue.ListedMail]:
        with self.context.database.read() as connection:
            return mail_queue.list_mails(connection, organisation_id, limit)

    def row(self, mail_id: int = 1) -> Row[Any]:
        statement: Select[Any] = select(OutboxMail).where(OutboxMail.c.id == mail_id)
        with self.context.database.read() as connection:
            return connection.execute(statement).one()


@pytest.fixture
def outbox(context: Context, visitor: Visitor) -> Outbox:
    return Outbox(context, visitor)
