"""The tables of the audit log and the outbox."""

from datetime import datetime

from sqlalchemy import JSON, Column, ForeignKey, Index, Named, String, Table, Text, TypedColumns

from portal.storage.models.base import LOCALE_LENGTH, METADATA, STRING_LENGTH, UtcDateTime, contact_key


class EventColumns(TypedColumns):
    """An event of the audit log: a sign-in, a refusal or a change."""

    id: Named[int] = Column(primary_key=True)
    organisation_id: Named[int] = Column(ForeignKey("organisation.id"))
    contact_id: Named[int | None] = contact_key()
    kind: Named[str] = Column(String(40))
    refusal: Named[str | None] = Column(String(40))
    """The name of the Failure, or None for a success."""
    reason: Named[str | None] = Column(String(STRING_LENGTH))
    """Why the operator did it, in the operator's words."""
    ip: Named[str | None] = Column(String(45))
    user_agent: Named[str | None] = Column(String(STRING_LENGTH))
    request_id: Named[str | None] = Column(String(32))
    occurred_at: Named[datetime] = Column(UtcDateTime, index=True)


Event = Table("event", METADATA, EventColumns)


class OutboxMailColumns(TypedColumns):
    """A queued email: stored with its cause; rendered, signed and sent by the worker (portal/mail)."""

    id: Named[int] = Column(primary_key=True)
    organisation_id: Named[int] = Column(ForeignKey("organisation.id"))
    contact_id: Named[int | None] = contact_key()
    link_id: Named[int | None] = Column(ForeignKey("link.id", ondelete="CASCADE"), index=True)
    notice: Named[str] = Column(String(40))
    """The kind of email: the name of a folder in templates/mail."""
    is_urgent: Named[bool] = Column(default=True)
    """Whether the customer waits for it."""
    recipient: Named[str | None] = Column(String(STRING_LENGTH))
    locale: Named[str | None] = Column(String(LOCALE_LENGTH))
    ip: Named[str | None] = Column(String(45))
    """Where the request that caused the email came from, which the email shows; None if that is not known."""
    user_agent: Named[str | None] = Column(String(STRING_LENGTH))
    details: Named[dict[str, object]] = Column(JSON, server_default="{}")
    """The details that the email lists, as JSON (domain/notices.py)."""
    message_id: Named[str] = Column(String(64), unique=True)
    """The left part of the Message-ID, the same on every attempt."""
    state: Named[str] = Column(String(16))
    attempts: Named[int] = Column(default=0)
    due_at: Named[datetime] = Column(UtcDateTime)
    lease_until: Named[datetime | None] = Column(UtcDateTime)
    claim: Named[str | None] = Column(String(32))
    """The random id of the worker's claim; a result with another claim is ignored."""
    reason: Named[str | None] = Column(Text)
    """Why the last attempt failed, or why the email is dead."""
    created_at: Named[datetime] = Column(UtcDateTime)
    finished_at: Named[datetime | None] = Column(UtcDateTime)


OutboxMail = Table("outbox", METADATA, OutboxMailColumns, Index("ix_outbox_due", "state", "is_urgent", "due_at", "id"))
