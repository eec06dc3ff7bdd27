"""The tables of the audit log and the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.storage.models.base import LOCALE_LENGTH, Base, contact_key


class Event(Base):
    """An event of the audit log: a sign-in, a refusal or a change."""

    __tablename__ = "event"

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    contact_id: Mapped[int | None] = contact_key()
    kind: Mapped[str] = mapped_column(String(40))
    refusal: Mapped[str | None] = mapped_column(String(40))
    """The name of the Failure, or None for a success."""
    reason: Mapped[str | None]
    """Why the operator did it, in the operator's words."""
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None] = mapped_column(String(32))
    occurred_at: Mapped[datetime] = mapped_column(index=True)


class OutboxMail(Base):
    """A queued email: stored with its cause; rendered, signed and sent by the worker (portal/mail)."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "is_urgent", "due_at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"))
    contact_id: Mapped[int | None] = contact_key()
    link_id: Mapped[int | None] = mapped_column(ForeignKey("link.id", ondelete="CASCADE"), index=True)
    notice: Mapped[str] = mapped_column(String(40))
    """The kind of email: the name of a folder in templates/mail."""
    is_urgent: Mapped[bool] = mapped_column(default=True)
    """Whether the customer waits for it."""
    recipient: Mapped[str | None]
    locale: Mapped[str | None] = mapped_column(String(LOCALE_LENGTH))
    ip: Mapped[str | None] = mapped_column(String(45))
    """Where the request that caused the email came from, which the email shows; None if that is not known."""
    user_agent: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    """The details that the email lists, as JSON (domain/notices.py)."""
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    """The left part of the Message-ID, the same on every attempt."""
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    claim: Mapped[str | None] = mapped_column(String(32))
    """The random id of the worker's claim; a result with another claim is ignored."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why the last attempt failed, or why the email is dead."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
