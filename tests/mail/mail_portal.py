"""A portal with a mail worker, and methods that queue mails."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any, Self

from flask import Flask
from flask_mail import Mail
from sqlalchemy import Row, insert, select, update

from portal import create_app
from portal.app import context_of
from portal.domain import one_time_links, outbox
from portal.domain.context import Visitor
from portal.domain.one_time_links import NewLink
from portal.domain.outbox import LINKS, MailState, NewMail, Notice
from portal.domain.tokens import random_id
from portal.mail.smtp import mail_config
from portal.mail.worker import MailWorker
from portal.settings import Settings, load_settings
from portal.storage.clock import Clock
from portal.storage.models import Link, Organisation, OutboxMail

ADA = "ada@example.com"


def mail_app(settings: Settings) -> Flask:
    """The part of a portal that a transport needs."""
    app = Flask(__name__)
    app.config.update(mail_config(settings))
    app.extensions["portal_settings"] = settings
    Mail().init_app(app)
    return app


class MailPortal:
    """A portal and its mail worker, with a clock of its own."""

    def __init__(self, environ: Mapping[str, str], visitor: Visitor, clock: Clock) -> None:
        self.settings = load_settings(environ)
        self.app = create_app(self.settings)
        self.context = replace(context_of(self.app), clock=clock)
        self.app.extensions["portal"] = self.context
        self.worker = MailWorker(self.app)
        self._visitor = visitor

    def close(self) -> None:
        self.context.hasher._pool.shutdown()
        self.context.database.engine.dispose()

    def seen_with(self, user_agent: str) -> Self:
        """Return the same portal, whose emails are requested by another browser."""
        self._visitor = replace(self._visitor, user_agent=user_agent)
        return self

    def work(self) -> float:
        """Let the worker send the due emails; return how long it pauses then."""
        return self.worker.work(Event())

    def queue(
        self,
        recipient: str = ADA,
        notice: Notice = Notice.PASSWORD_CHANGED,
        *,
        locale: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Queue an email as the domain does, with a link that lasts half an hour if the email has one."""
        now = self.context.clock()
        with self.context.database.write() as connection:
            link_id = None
            if purpose := LINKS.get(notice):
                expires_at = now + timedelta(minutes=30)
                link_id = one_time_links.issue(connection, NewLink(purpose, None, recipient, expires_at), now).id
            mail = NewMail(notice, None, recipient, locale, link_id, details=details or {})
            outbox.queue(connection, self._visitor, mail, self.context.clock)
            return connection.scalars(select(OutboxMail.c.id).order_by(OutboxMail.c.id.desc())).first() or 0

    def queue_raw(self, **values: Any) -> int:
        """Store a row that the domain would never write."""
        now = self.context.clock()
        row = {
            "organisation_id": self._visitor.organisation_id,
            "notice": Notice.PASSWORD_CHANGED,
            "recipient": ADA,
            "message_id": random_id(),
            "state": MailState.QUEUED,
            "due_at": now,
            "created_at": now,
        }
        with self.context.database.write() as connection:
            return connection.execute(insert(OutboxMail).returning(OutboxMail.c.id), row | values).scalar_one()

    def row(self, mail_id: int) -> Row[Any]:
        """Return the stored row of an email."""
        with self.context.database.read() as connection:
            return connection.execute(select(OutboxMail).where(OutboxMail.c.id == mail_id)).one()

    def states(self) -> list[str]:
        """Return the states of all emails, in order."""
        with self.context.database.read() as connection:
            return list(connection.scalars(select(OutboxMail.c.state).order_by(OutboxMail.c.id)))

    def change_organisation(self, **values: Any) -> None:
        """Change every organisation as an operator does."""
        with self.context.database.write() as connection:
            connection.execute(update(Organisation).values(**values))

    def change_link(self, **values: Any) -> None:
        """Change all links."""
        with self.context.database.write() as connection:
            connection.execute(update(Link).values(**values))
