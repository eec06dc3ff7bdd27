"""Export all data of one customer for the customer, without secrets and internal ids."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Integer, Select, Table, bindparam, func, select

from portal.domain.contact_details import TEXT_FIELDS, api_name
from portal.domain.contacts import whole_name
from portal.domain.outbox import Notice
from portal.storage.models import (
    Account,
    AddressChange,
    Contact,
    ContactGroup,
    Device,
    Event,
    FormerPassword,
    Handover,
    Identity,
    Link,
    Organisation,
    OutboxMail,
    Passkey,
    PendingSignIn,
    RecoveryCode,
    Registration,
    SecondStep,
)

EXPORTED: Mapping[Table[Any], tuple[str, ...]] = {
    Contact: (
        *("cu_ref_no", "email", *TEXT_FIELDS, "newsletter", "ip"),
        *(
            "created_at",
            "confirmed_at",
            "proven_at",
            "failed_passwords",
            "failed_codes",
            "banned_at",
            "banned_until",
            "ban_reason",
            "erase_at",
        ),
    ),
    ContactGroup: ("name",),
    Account: ("created_at", "password_set_at"),
    FormerPassword: ("retired_at",),
    Registration: (
        *("email", *TEXT_FIELDS, "newsletter", "groups", "referral", "ip"),
        *("return_url", "created_at", "ended_at", "failed_passwords"),
    ),
    Link: ("purpose", "email", "code_tries", "created_at", "expires_at", "used_at", "ended_at"),
    AddressChange: ("old_email", "new_email", "requested_at", "changed_at"),
    Identity: (
        "remember",
        "ip",
        "user_agent",
        "channel",
        "proved_at",
        "second_step_at",
        "created_at",
        "seen_at",
        "expires_at",
        "ended_at",
    ),
    Handover: ("expires_at", "used_at"),
    Device: ("created_at", "seen_at", "failed_passwords", "failed_codes", "trusted_until"),
    SecondStep: ("created_at", "failed_codes"),
    RecoveryCode: ("created_at", "used_at"),
    Passkey: ("name", "aaguid", "transports", "is_synced", "created_at", "last_used_at"),
    PendingSignIn: ("remember", "kind", "created_at", "expires_at"),
    Event: ("occurred_at", "kind", "refusal", "reason", "ip", "user_agent", "request_id"),
    OutboxMail: (
        *("notice", "recipient", "locale", "message_id", "state", "attempts"),
        *("reason", "created_at", "due_at", "finished_at", "ip", "user_agent", "details"),
    ),
}
"""The exported columns of every table with data of a customer."""

_INTERNAL_ID = "an internal id of the database"
_SECRET = "a secret, or something that helps to guess one"
_BOOKKEEPING = "internal state of the portal"
LEFT_OUT: Mapping[str, str] = {
    "contact.id": _INTERNAL_ID,
    "contact.organisation_id": "exported as the organisation's slug",
    "contact.email_key": "derived from the address",
    "contact.password_salt": _SECRET,
    "contact.referred_by_id": "exported as referralId",
    "contact_group.contact_id": _INTERNAL_ID,
    "account.contact_id": _INTERNAL_ID,
    "account.password_hash": _SECRET,
    "former_password.id": _INTERNAL_ID,
    "former_password.contact_id": _INTERNAL_ID,
    "former_password.password_hash": _SECRET,
    "registration.id": _INTERNAL_ID,
    "registration.public_id": _SECRET,
    "registration.contact_id": _INTERNAL_ID,
    "registration.password_hash": _SECRET,
    "registration.is_decoy": "internal: why the registration cannot be confirmed",
    "link.id": _INTERNAL_ID,
    "link.public_id": _SECRET,
    "link.contact_id": _INTERNAL_ID,
    "link.registration_id": _INTERNAL_ID,
    "address_change.id": _INTERNAL_ID,
    "address_change.contact_id": _INTERNAL_ID,
    "address_change.identity_id": _INTERNAL_ID,
    "address_change.link_id": _INTERNAL_ID,
    "address_change.undo_link_id": _INTERNAL_ID,
    "address_change.old_email_key": "derived from the address",
    "address_change.new_email_key": "derived from the address",
    "identity.id": _INTERNAL_ID,
    "identity.contact_id": _INTERNAL_ID,
    "identity.digest": _SECRET,
    "identity.family": _INTERNAL_ID,
    "identity.started_by": _INTERNAL_ID,
    "handover.id": _INTERNAL_ID,
    "handover.identity_id": _INTERNAL_ID,
    "handover.digest": _SECRET,
    "handover.nonce": _SECRET,
    "device.id": _INTERNAL_ID,
    "device.contact_id": _INTERNAL_ID,
    "device.digest": _SECRET,
    "second_step.contact_id": _INTERNAL_ID,
    "second_step.secret": _SECRET,
    "second_step.key_id": _BOOKKEEPING,
    "second_step.last_time_step": _BOOKKEEPING,
    "recovery_code.id": _INTERNAL_ID,
    "recovery_code.contact_id": _INTERNAL_ID,
    "recovery_code.digest": _SECRET,
    "passkey.id": _INTERNAL_ID,
    "passkey.contact_id": _INTERNAL_ID,
    "passkey.credential_id": _INTERNAL_ID,
    "passkey.user_handle": _INTERNAL_ID,
    "passkey.public_key": _BOOKKEEPING,
    "passkey.sign_count": _BOOKKEEPING,
    "passkey.can_sync": _BOOKKEEPING,
    "pending_sign_in.id": _INTERNAL_ID,
    "pending_sign_in.contact_id": _INTERNAL_ID,
    "pending_sign_in.digest": _SECRET,
    "event.id": _INTERNAL_ID,
    "event.organisation_id": "is the customer's",
    "event.contact_id": _INTERNAL_ID,
    "outbox.id": _INTERNAL_ID,
    "outbox.organisation_id": "is the customer's",
    "outbox.contact_id": _INTERNAL_ID,
    "outbox.link_id": _INTERNAL_ID,
    "outbox.is_urgent": _BOOKKEEPING,
    "outbox.claim": _BOOKKEEPING,
    "outbox.lease_until": _BOOKKEEPING,
}
"""The other columns of those tables, and why they are not exported. A test checks that no column is missing."""


_Statement = Select[*tuple[Any, ...]]


def _select(table: Table[Any]) -> _Statement:
    columns = [table.c[name].label(_name(table, name)) for name in EXPORTED[table]]
    return select(*columns).order_by(*table.primary_key)


def _name(table: Table[Any], column: str) -> str:
    if column == "ip" and table in (Contact, Registration):
        return "customerRealIp"
    return api_name(column)


_id: BindParameter[int] = bindparam("contact_id", type_=Integer)
_LISTS = {
    "formerPasswords": _select(FormerPassword).where(FormerPassword.c.contact_id == _id),
    "registrations": _select(Registration).where(Registration.c.contact_id == _id),
    "links": _select(Link).where(Link.c.contact_id == _id),
    "addressChanges": _select(AddressChange).where(AddressChange.c.contact_id == _id),
    "identities": _select(Identity).where(Identity.c.contact_id == _id),
    "handovers": _select(Handover)
    .join(Identity, Identity.c.id == Handover.c.identity_id)
    .where(Identity.c.contact_id == _id),
    "devices": _select(Device).where(Device.c.contact_id == _id),
    "recoveryCodes": _select(RecoveryCode).where(RecoveryCode.c.contact_id == _id),
    "passkeys": _select(Passkey).where(Passkey.c.contact_id == _id),
    "pendingSignIns": _select(PendingSignIn).where(PendingSignIn.c.contact_id == _id),
    "events": _select(Event).where(Event.c.contact_id == _id),
    # If the address belongs to another customer, that customer gets an email instead: the absence would reveal it.
    "mails": _select(OutboxMail).where(OutboxMail.c.contact_id == _id, OutboxMail.c.notice != Notice.ADDRESS_CHANGE),
}


def export_customer(connection: Connection, contact_id: int) -> dict[str, object]:
    """Return all data of a customer under the API's field names, ready for JSON.

    Of other customers it contains only the reference number of the referrer, which the customer knows, and the number
    of customers that this one has referred. An email to a requested new address is left out: the request is listed.
    """

    def rows(statement: _Statement) -> list[dict[str, Any]]:
        found = connection.execute(statement, {"contact_id": contact_id}).mappings()
        return [{name: _json_value(value) for name, value in row.items()} for row in found]

    referring = Contact.alias("referring")
    references: _Statement = (
        select(Organisation.c.slug.label("organisation"), referring.c.cu_ref_no.label("referralId"))
        .select_from(Contact)
        .join(Organisation, Organisation.c.id == Contact.c.organisation_id)
        .outerjoin(referring, referring.c.id == Contact.c.referred_by_id)
        .where(Contact.c.id == _id)
    )
    (contact,), (referred,) = rows(_select(Contact).where(Contact.c.id == _id)), rows(references)
    account = rows(_select(Account).where(Account.c.contact_id == _id))
    second_step = rows(_select(SecondStep).where(SecondStep.c.contact_id == _id))
    groups = select(ContactGroup.c.name).where(ContactGroup.c.contact_id == contact_id).order_by(ContactGroup.c.name)
    customers_referred = select(func.count()).where(Contact.c.referred_by_id == contact_id)
    return {
        "organisation": referred["organisation"],
        **contact,
        "name": whole_name(contact["name"], contact["firstName"], contact["lastName"]) or None,
        "groups": list(connection.execute(groups).scalars()),
        "referralId": referred["referralId"],
        "customersReferred": connection.execute(customers_referred).scalar_one(),
        "account": account[0] if account else None,
        "secondStep": second_step[0] if second_step else None,
        **{name: rows(statement) for name, statement in _LISTS.items()},
    }


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
