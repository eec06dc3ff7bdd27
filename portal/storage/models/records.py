"""The tables of the audit log and the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnClause, ForeignKey, Index, String, Text

from portal.storage.models.base import LOCALE_LENGTH, Base, column, contact_key


class Event(Base):
    """An event of the audit log: a sign-in, a refusal or a change."""

    __tablename__ = "event"

    id: ColumnClause[int] = column(primary_key=True)
    organisation_id: ColumnClause[int] = column(ForeignKey("organisation.id"))
    contact_id: ColumnClause[int | None] = contact_key()
    kind: ColumnClause[str] = column(String(40))
    refusal: ColumnClause[str | None] = column(String(40))
    """The name of the Failure, or None for a success."""
    reason: ColumnClause[str | None]
    """Why the operator did it, in the operator's words."""
    ip: ColumnClause[str | None] = column(String(45))
    user_agent: ColumnClause[str | None]
    request_id: ColumnClause[str | None] = column(String(32))
    occurred_at: ColumnClause[datetime] = column(index=True)


class OutboxMail(Base):
    """A queued email: stored with its cause; rendered, signed and sent by the worker (portal/mail)."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "is_urgent", "due_at", "id"),)

    id: ColumnClause[int] = column(primary_key=True)
    organisation_id: ColumnClause[int] = column(ForeignKey("organisation.id"))
    contact_id: ColumnClause[int | None] = contact_key()
    link_id: ColumnClause[int | None] = column(ForeignKey("link.id", ondelete="CASCADE"), index=True)
    notice: ColumnClause[str] = column(String(40))
    """The kind of email: the name of a folder in templates/mail."""
    is_urgent: ColumnClause[bool] = column(default=True)
    """Whether the customer waits for it."""
    recipient: ColumnClause[str | None]
    locale: ColumnClause[str | None] = column(String(LOCALE_LENGTH))
    ip: ColumnClause[str | None] = column(String(45))
    """Where the request that caused the email came from, which the email shows; None if that is not known."""
    user_agent: ColumnClause[str | None]
    details: ColumnClause[dict[str, Any]] = column(JSON, server_default="{}")
    """The details that the email lists, as JSON (domain/notices.py)."""
    message_id: ColumnClause[str] = column(String(64), unique=True)
    """The left part of the Message-ID, the same on every attempt."""
    state: ColumnClause[str] = column(String(16))
    attempts: ColumnClause[int] = column(default=0)
    due_at: ColumnClause[datetime]
    lease_until: ColumnClause[datetime | None]
    claim: ColumnClause[str | None] = column(String(32))
    """The random id of the worker's claim; a result with another claim is ignored."""
    reason: ColumnClause[str | None] = column(Text)
    """Why the last attempt failed, or why the email is dead."""
    created_at: ColumnClause[datetime]
    finished_at: ColumnClause[datetime | None]
