"""Count consecutive wrong passwords and codes of a contact, which lock the password or the codes until a proof of the
mailbox (`contacts.prove_mailbox`).
"""

from collections.abc import Set

from sqlalchemy import Connection, bindparam, update

from portal.domain.contacts import LOCKING_FAILURES, NO_CONTACT
from portal.storage.models import Contact, Device

_count_failure = (
    update(Contact).where(Contact.id == bindparam("of_contact")).values(failed_passwords=Contact.failed_passwords + 1)
)
_reset_failures = update(Contact).where(Contact.id == bindparam("of_contact")).values(failed_passwords=0)


def count_wrong_password(connection: Connection, contact_id: int) -> None:
    """Count a wrong password."""
    connection.execute(_count_failure, {"of_contact": contact_id})


def reset_wrong_passwords(connection: Connection, contact_id: int) -> None:
    """Reset the counter of wrong passwords."""
    connection.execute(_reset_failures, {"of_contact": contact_id})


def lock_password(connection: Connection, contact_id: int) -> None:
    """Lock the password, in known devices (devices.py) too, until a proof of the mailbox."""
    locked = {"failed_passwords": LOCKING_FAILURES}
    connection.execute(update(Contact).where(Contact.id == contact_id).values(locked))
    connection.execute(update(Device).where(Device.contact_id == contact_id).values(locked))


def count_code_attempt(connection: Connection, contact_ids: Set[int]) -> set[int]:
    """Count an attempt to enter a code, before the check; return the contacts whose codes are not locked.

    A right code proves a mailbox, which resets the counter.
    """
    counted = (
        update(Contact)
        .where(Contact.id.in_(sorted(contact_ids) or [NO_CONTACT]), Contact.failed_codes < LOCKING_FAILURES)
        .values(failed_codes=Contact.failed_codes + 1)
        .returning(Contact.id)
    )
    return set(connection.scalars(counted))


def reset_wrong_codes(connection: Connection, contact_id: int) -> None:
    """Reset the counter of wrong codes."""
    connection.execute(update(Contact).where(Contact.id == contact_id).values(failed_codes=0))
