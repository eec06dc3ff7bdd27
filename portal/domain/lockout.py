"""Count consecutive wrong passwords and codes, which lock the password or the codes of a contact until a proof of the
mailbox (`contacts.prove_mailbox`).

Wrong passwords and codes of an authenticator app from a known device have a counter of that device, so that guesses
from elsewhere never lock the customer out there.
"""

from collections.abc import Set
from dataclasses import replace

from sqlalchemy import Connection, bindparam, update

from portal.domain.contacts import LOCKING_FAILURES, NO_CONTACT, ContactCredentials
from portal.domain.devices import KnownDevice
from portal.storage.models import Contact, Device, SecondStep

_count_password = (
    update(Contact)
    .where(Contact.c.id == bindparam("of_contact"))
    .values(failed_passwords=Contact.c.failed_passwords + 1)
)
_reset_passwords = update(Contact).where(Contact.c.id == bindparam("of_contact")).values(failed_passwords=0)
_count_device_password = (
    update(Device).where(Device.c.id == bindparam("of_device")).values(failed_passwords=Device.c.failed_passwords + 1)
)
_reset_device_passwords = update(Device).where(Device.c.id == bindparam("of_device")).values(failed_passwords=0)
_count_app_code = (
    update(SecondStep)
    .where(SecondStep.c.contact_id == bindparam("of_contact"), SecondStep.c.failed_codes < LOCKING_FAILURES)
    .values(failed_codes=SecondStep.c.failed_codes + 1)
    .returning(SecondStep.c.contact_id)
)
_reset_app_codes = update(SecondStep).where(SecondStep.c.contact_id == bindparam("of_contact")).values(failed_codes=0)
_count_device_app_code = (
    update(Device)
    .where(Device.c.id == bindparam("of_device"), Device.c.failed_codes < LOCKING_FAILURES)
    .values(failed_codes=Device.c.failed_codes + 1)
    .returning(Device.c.id)
)
_reset_device_app_codes = update(Device).where(Device.c.id == bindparam("of_device")).values(failed_codes=0)


def with_failures_of(device: KnownDevice | None, contact: ContactCredentials | None) -> ContactCredentials | None:
    """Return the contact with the wrong-password counter that applies: the known device's, else the contact's own."""
    if contact is None or device is None:
        return contact
    return replace(contact, failed_passwords=device.failed_passwords)


def count_wrong_password(connection: Connection, device: KnownDevice | None, contact_id: int) -> None:
    """Count a wrong password: on the known device, else on the contact."""
    if device is None:
        connection.execute(_count_password, {"of_contact": contact_id})
    else:
        connection.execute(_count_device_password, {"of_device": device.id})


def reset_wrong_passwords(connection: Connection, device: KnownDevice | None, contact_id: int) -> None:
    """Reset the wrong-password counter: of the known device, else of the contact."""
    if device is None:
        connection.execute(_reset_passwords, {"of_contact": contact_id})
    else:
        connection.execute(_reset_device_passwords, {"of_device": device.id})


def lock_password(connection: Connection, contact_id: int) -> None:
    """Lock the password, in known devices too, until a proof of the mailbox."""
    locked = {"failed_passwords": LOCKING_FAILURES}
    connection.execute(update(Contact).where(Contact.c.id == contact_id).values(locked))
    connection.execute(update(Device).where(Device.c.contact_id == contact_id).values(locked))


def count_app_code(connection: Connection, device: KnownDevice | None, contact_id: int) -> bool:
    """Count a code of an app before it is checked; return False when there were too many wrong ones in a row."""
    if device is None:
        counted = connection.execute(_count_app_code, {"of_contact": contact_id})
    else:
        counted = connection.execute(_count_device_app_code, {"of_device": device.id})
    return counted.one_or_none() is not None


def reset_app_codes(connection: Connection, device: KnownDevice | None, contact_id: int) -> None:
    """Reset the counter of codes of an app: of the known device, else of the second step."""
    if device is None:
        connection.execute(_reset_app_codes, {"of_contact": contact_id})
    else:
        connection.execute(_reset_device_app_codes, {"of_device": device.id})


def count_mailed_code(connection: Connection, contact_ids: Set[int]) -> set[int]:
    """Count an attempt to enter a code from an email, before the check; return the contacts whose codes are not locked.

    A right code proves a mailbox, which resets the counter.
    """
    counted = (
        update(Contact)
        .where(Contact.c.id.in_(sorted(contact_ids) or [NO_CONTACT]), Contact.c.failed_codes < LOCKING_FAILURES)
        .values(failed_codes=Contact.c.failed_codes + 1)
        .returning(Contact.c.id)
    )
    return set(connection.scalars(counted))


def reset_mailed_codes(connection: Connection, contact_id: int) -> None:
    """Reset the counter of codes from emails."""
    connection.execute(update(Contact).where(Contact.c.id == contact_id).values(failed_codes=0))
