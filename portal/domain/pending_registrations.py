"""Open registrations: pending ones, which wait for a proof of the mailbox, and decoys, which look like them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from portal.domain import one_time_links
from portal.domain.contacts import LOCKING_FAILURES
from portal.domain.tokens import Purpose
from portal.storage.models import Registration

PENDING_LIFETIME = timedelta(days=7)
"""How long a registration waits; within it the mail can be sent again."""

_is_open_of_contact = (Registration.contact_id == bindparam("of_contact"), Registration.ended_at.is_(None))
_open = select(
    Registration.public_id, Registration.password_hash, Registration.is_decoy, Registration.failed_passwords
).where(*_is_open_of_contact, Registration.created_at > bindparam("oldest"))
_newest = select(func.max(Registration.created_at)).where(*_is_open_of_contact, Registration.is_decoy.is_(False))
_count_failure = (
    update(Registration).where(*_is_open_of_contact).values(failed_passwords=Registration.failed_passwords + 1)
)
_make_decoys = update(Registration).where(*_is_open_of_contact).values(is_decoy=True)
_end = (
    update(Registration).where(*_is_open_of_contact).values(ended_at=bindparam("now")).returning(Registration.is_decoy)
)


@dataclass(frozen=True)
class OpenRegistration:
    """A registration that no proof of the mailbox has ended.

    It is pending, or a decoy: one for an address that has an account or is banned, which a stranger cannot tell from a
    pending one, and which nothing confirms.
    """

    public_id: str
    password_hash: str = field(repr=False)
    is_decoy: bool
    failed_passwords: int

    @property
    def is_locked(self) -> bool:
        """Whether too many wrong passwords were tried for its address since it was made: its own opens nothing then."""
        return self.failed_passwords >= LOCKING_FAILURES


def newest_pending(connection: Connection, contact_id: int) -> datetime | None:
    """When the last pending registration of a contact was made."""
    return connection.execute(_newest, {"of_contact": contact_id}).scalar_one()


def open_registrations(connection: Connection, contact_id: int, now: datetime) -> list[OpenRegistration]:
    """The open registrations of a contact that are not too old, decoys among them."""
    rows = connection.execute(_open, {"of_contact": contact_id, "oldest": now - PENDING_LIFETIME})
    return [OpenRegistration(**row._asdict()) for row in rows]


def count_wrong_password(connection: Connection, contact_id: int) -> None:
    """Count a wrong password on the open registrations of a contact."""
    connection.execute(_count_failure, {"of_contact": contact_id})


def make_decoys(connection: Connection, contact_id: int) -> None:
    """Let no open registration of a contact be confirmed any more, so that the person who made one does not notice."""
    connection.execute(_make_decoys, {"of_contact": contact_id})


def end_open_registrations(connection: Connection, contact_id: int, now: datetime) -> bool:
    """End every open registration of a contact and the links that would confirm one; return whether one was pending."""
    ended = connection.execute(_end, {"of_contact": contact_id, "now": now})
    was_pending = not all(ended.scalars())
    one_time_links.end_all(connection, contact_id, now, Purpose.VERIFY)
    return was_pending
