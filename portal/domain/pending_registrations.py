"""Open registrations: pending ones, before a proof of the mailbox, and decoys, which look the same from outside."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from portal.domain import one_time_links
from portal.domain.contacts import LOCKING_FAILURES
from portal.domain.tokens import Purpose
from portal.storage.models import Registration

PENDING_LIFETIME = timedelta(days=7)
"""Lifetime of a pending registration; until then the email can be sent again."""

_is_open_of_contact = (Registration.c.contact_id == bindparam("of_contact"), Registration.c.ended_at.is_(None))
_open = select(
    Registration.c.public_id, Registration.c.password_hash, Registration.c.is_decoy, Registration.c.failed_passwords
).where(*_is_open_of_contact, Registration.c.created_at > bindparam("oldest"))
_count_failure = (
    update(Registration).where(*_is_open_of_contact).values(failed_passwords=Registration.c.failed_passwords + 1)
)

_end_open = (
    update(Registration)
    .where(*_is_open_of_contact)
    .values(ended_at=bindparam("now"))
    .returning(Registration.c.is_decoy)
)


@dataclass(frozen=True)
class OpenRegistration:
    """A registration that no proof of the mailbox has ended: pending, or a decoy.

    A decoy is for an address that has an account, also a closed one, or is banned. An attacker cannot tell it from a
    pending one, and it can never be confirmed.
    """

    public_id: str
    password_hash: str = field(repr=False)
    is_decoy: bool
    failed_passwords: int

    @property
    def is_locked(self) -> bool:
        """Whether its password is locked, after too many wrong passwords for its address since it was created."""
        return self.failed_passwords >= LOCKING_FAILURES


def newest_pending_at(connection: Connection, contact_id: int, *, decoys: bool) -> datetime | None:
    """Return the time of the newest pending registration of a contact, or also of a decoy."""
    newest = select(func.max(Registration.c.created_at)).where(*_is_open_of_contact)
    if not decoys:
        newest = newest.where(Registration.c.is_decoy.is_(False))
    return connection.execute(newest, {"of_contact": contact_id}).scalar_one()


def open_registrations(connection: Connection, contact_id: int, now: datetime) -> list[OpenRegistration]:
    """Return the open registrations of a contact that are younger than PENDING_LIFETIME, including decoys."""
    rows = connection.execute(_open, {"of_contact": contact_id, "oldest": now - PENDING_LIFETIME})
    return [OpenRegistration(**row._asdict()) for row in rows]


def count_wrong_password(connection: Connection, contact_id: int) -> None:
    """Count a wrong password on the open registrations of a contact."""
    connection.execute(_count_failure, {"of_contact": contact_id})


def make_decoys(connection: Connection, contact_id: int) -> None:
    """Turn all open registrations of a contact into decoys, so that they can never be confirmed."""
    decoys = update(Registration).where(*_is_open_of_contact).values(is_decoy=True)
    connection.execute(decoys, {"of_contact": contact_id})


def end_open_registrations(connection: Connection, contact_id: int, now: datetime) -> bool:
    """End all open registrations of a contact and their links; return whether one of them was pending."""
    was_pending = not all(connection.scalars(_end_open, {"of_contact": contact_id, "now": now}))
    one_time_links.end_all(connection, contact_id, now, Purpose.VERIFY)
    return was_pending
