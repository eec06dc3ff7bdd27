"""The passkeys of customers: store, list, name and remove them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from portal.domain.contacts import insert_or_ignore
from portal.domain.passkey_requests import Descriptor, base64url
from portal.storage.models import Passkey as PasskeyRow

if TYPE_CHECKING:
    from portal.domain.webauthn_ceremonies import NewCredential

MAX_PASSKEYS = 20
"""Passkeys of one customer."""
NAME_LENGTH = 64
"""Characters of a name."""
_PROVIDERS = {
    "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4": "Google Password Manager",
    "fbfc3007-154e-4ecc-8c0b-6e020557d7bd": "Apple Passwords",
    "dd4ec289-e01d-41c9-bb89-70fa845d4bf2": "Apple Passwords",
    "08987058-cadc-4b81-b6e1-30de50dcbe96": "Windows Hello",
    "6028b017-b1d4-4c02-b4b3-afcdafc96bb2": "Windows Hello",
    "9ddd1817-af5a-4672-a2b9-3e3dd95000a9": "Windows Hello",
    "d3452668-01fd-4c12-926c-83a4204853aa": "Microsoft Password Manager",
    "53414d53-554e-4700-0000-000000000000": "Samsung Pass",
    "adce0002-35bc-c60a-648b-0b25f1f05503": "Chrome",
    "771b48fd-d3d4-4f74-9232-fc157ab0507a": "Edge",
    "bada5566-a7aa-401f-bd96-45619a55120d": "1Password",
    "d548826e-79b4-db40-a3d8-11116f7e8349": "Bitwarden",
    "531126d6-e717-415c-9320-3d9aa6981239": "Dashlane",
    "f3809540-7f14-49c1-a8b3-8f813b225541": "Enpass",
    "0ea242b4-43c4-4a1b-8b17-dd6d0b6baec6": "Keeper",
    "b84e4048-15dc-4dd0-8640-f4f60813c8af": "NordPass",
    "50726f74-6f6e-5061-7373-50726f746f6e": "Proton Pass",
}
"""The names of common providers, by AAGUID. A provider that is not among them, or does not tell, has none."""


@dataclass(frozen=True)
class Passkey:
    """A passkey, as its customer sees it."""

    id: int
    name: str | None
    """The provider's, or what the customer has called it; None if neither is known."""
    provider: str | None
    """Where it is saved, if that is known."""
    created_at: datetime
    last_used_at: datetime | None
    is_synced: bool
    """Whether it was copied to other devices; else it is on one."""
    credential_id: str
    """In base64url, as browsers know it."""
    user_handle: str = field(repr=False)
    """In base64url: the account, as browsers know it."""


_of_contact = PasskeyRow.c.contact_id == bindparam("of_contact")
_list = (
    select(
        PasskeyRow.c.id,
        PasskeyRow.c.name,
        PasskeyRow.c.aaguid,
        PasskeyRow.c.created_at,
        PasskeyRow.c.last_used_at,
        PasskeyRow.c.is_synced,
        PasskeyRow.c.credential_id,
        PasskeyRow.c.user_handle,
    )
    .where(_of_contact)
    .order_by(PasskeyRow.c.id.desc())
)
_descriptors = select(PasskeyRow.c.credential_id, PasskeyRow.c.transports).where(_of_contact).order_by(PasskeyRow.c.id)
_user_handles = select(PasskeyRow.c.user_handle).where(_of_contact)


def list_passkeys(connection: Connection, contact_id: int) -> list[Passkey]:
    """Return the passkeys of a customer, the newest first."""
    return [_read(row) for row in connection.execute(_list, {"of_contact": contact_id})]


def _read(row: Row[*tuple[Any, ...]]) -> Passkey:
    values = row._asdict()
    values["provider"] = _PROVIDERS.get(values.pop("aaguid"))
    for name in ("credential_id", "user_handle"):
        values[name] = base64url(values[name])
    return Passkey(**values)


def list_descriptors(connection: Connection, contact_id: int) -> list[Descriptor]:
    """Return the passkeys of a customer for the options that a browser gets."""
    return [Descriptor(**row._asdict()) for row in connection.execute(_descriptors, {"of_contact": contact_id})]


def find_user_handle(connection: Connection, contact_id: int) -> bytes | None:
    """Return the user handle of a customer's passkeys; None for a customer without passkeys."""
    return connection.execute(_user_handles, {"of_contact": contact_id}).scalars().first()


def add(connection: Connection, contact_id: int, new: "NewCredential", now: datetime) -> Passkey | None:
    """Store a passkey; return None if a customer has it already. The caller has locked the contact's row."""
    row = {
        "contact_id": contact_id,
        "credential_id": new.credential_id,
        "user_handle": new.challenge.user_handle,
        "public_key": new.public_key,
        "sign_count": new.sign_count,
        "aaguid": new.aaguid,
        "name": _PROVIDERS.get(new.aaguid),
        "transports": new.transports,
        "can_sync": new.can_sync,
        "is_synced": new.is_synced,
        "created_at": now,
    }
    statement = insert_or_ignore(connection, PasskeyRow, "credential_id").returning(PasskeyRow.c.id)
    passkey_id = connection.execute(statement, row).scalar_one_or_none()
    return _find(connection, contact_id, passkey_id)


def _find(connection: Connection, contact_id: int, passkey_id: int | None) -> Passkey | None:
    return next((one for one in list_passkeys(connection, contact_id) if one.id == passkey_id), None)


def rename(connection: Connection, contact_id: int, passkey_id: int, name: str) -> bool:
    """Name a passkey of a customer; return whether there is one with this id."""
    named = update(PasskeyRow).where(PasskeyRow.c.id == passkey_id, PasskeyRow.c.contact_id == contact_id)
    return connection.execute(named.values(name=name)).rowcount > 0


def remove(connection: Connection, contact_id: int, passkey_id: int) -> Passkey | None:
    """Delete a passkey of a customer, and return it; None if there is none with this id."""
    found = _find(connection, contact_id, passkey_id)
    if found is not None:
        connection.execute(delete(PasskeyRow).where(PasskeyRow.c.id == passkey_id))
    return found


def remove_all(connection: Connection, contact_id: int) -> None:
    """Delete the passkeys of a customer."""
    connection.execute(delete(PasskeyRow).where(PasskeyRow.c.contact_id == contact_id))


def remove_since(connection: Connection, contact_id: int, moment: datetime) -> None:
    """Delete the passkeys of a customer that are newer than a moment."""
    connection.execute(
        delete(PasskeyRow).where(PasskeyRow.c.contact_id == contact_id, PasskeyRow.c.created_at > moment)
    )
