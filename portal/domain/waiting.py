"""Registrations that wait for their mailbox to be proven."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from portal.domain import links
from portal.domain.models import Registration
from portal.domain.tokens import Purpose

WAITING_LIFETIME = timedelta(days=7)
"""How long a registration waits; within it the mail can be sent again."""

_waiting = select(Registration.password_hash, Registration.public_id).where(
    Registration.contact_id == bindparam("contact_id"),
    Registration.ended_at.is_(None),
    Registration.created_at > bindparam("oldest"),
)

_newest = select(func.max(Registration.created_at)).where(
    Registration.contact_id == bindparam("contact_id"), Registration.ended_at.is_(None)
)


def newest_waiting(connection: Connection, contact_id: int) -> datetime | None:
    """When the last registration of a contact was made that waits."""
    return connection.execute(_newest, {"contact_id": contact_id}).scalar_one()


def waiting_registrations(connection: Connection, contact_id: int, now: datetime) -> dict[str, str]:
    """The password hash and the public id of each registration of a contact that waits."""
    rows = connection.execute(_waiting, {"contact_id": contact_id, "oldest": now - WAITING_LIFETIME})
    return {row.password_hash: row.public_id for row in rows}


def end_open_registrations(connection: Connection, contact_id: int, now: datetime) -> bool:
    """End every open registration of a contact and the links that would confirm one; return whether one was pending."""
    ended = connection.execute(
        update(Registration)
        .where(Registration.contact_id == contact_id, Registration.ended_at.is_(None))
        .values(ended_at=now)
        .returning(Registration.is_decoy)
    )
    was_pending = not all(ended.scalars())
    links.end_all(connection, contact_id, now, Purpose.VERIFY)
    return was_pending
