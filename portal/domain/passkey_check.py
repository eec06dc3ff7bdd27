"""Check a passkey that a browser presents, and do what a right one allows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, bindparam, select, update

from portal.domain import contacts, devices
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.passkey_requests import PasskeyResponse, Use, use_challenge
from portal.domain.rate_limits import attempt, passkey_limits
from portal.storage.models import Contact
from portal.storage.models import Passkey as PasskeyRow

if TYPE_CHECKING:
    from portal.domain.webauthn_ceremonies import VerifiedAssertion

T = TypeVar("T")

_find = (
    select(
        PasskeyRow.c.id,
        PasskeyRow.c.contact_id,
        PasskeyRow.c.user_handle,
        PasskeyRow.c.public_key,
        PasskeyRow.c.can_sync,
    )
    .join(Contact, Contact.c.id == PasskeyRow.c.contact_id)
    .where(PasskeyRow.c.credential_id == bindparam("credential_id"))
    .where(Contact.c.organisation_id == bindparam("organisation_id"))
)
_sign_count = select(PasskeyRow.c.sign_count).where(PasskeyRow.c.id == bindparam("passkey_id"))


@dataclass(frozen=True)
class _StoredPasskey:
    """The fields of a stored passkey that an assertion is verified with."""

    id: int
    contact_id: int
    user_handle: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    can_sync: bool


class UnknownPasskey(Refused):
    """The organisation has no such passkey, so the browser can forget it. The message is that of any other refusal."""

    def __init__(self) -> None:
        super().__init__(Failure.PASSKEY_REFUSED)


@dataclass(frozen=True)
class PresentedPasskey:
    """A passkey that a visitor presents, and its use."""

    visitor: Visitor
    response: PasskeyResponse
    use: Use
    kind: EventKind
    """The event that a refusal is recorded as."""
    contact_id: int | None = None
    """The customer whose passkey it must be; None for any customer, whom the assertion must then name."""


def check_passkey(
    context: Context,
    presented: PresentedPasskey,
    then: Callable[[Connection, ContactCredentials, bool, datetime], T],
) -> T:
    """Check the response of an authenticator, and call `then` for a right one, in one transaction.

    `then` gets whether the authenticator has verified its user. The response is counted against the rate limits
    before it is verified, and accepted once. Raises Refused (PASSKEY_REFUSED, PASSKEY_EXPIRED, TOO_MANY_LOGINS, and
    after a right signature BANNED and UNVERIFIED), and what `then` raises, which leaves the challenge unused. A passkey
    that is unknown, removed or of another organisation is an UnknownPasskey.
    """
    from portal.domain import webauthn_ceremonies  # loads a library that most requests do not need

    visitor = presented.visitor
    assertion = webauthn_ceremonies.read_assertion(presented.response, presented.use, context.clock())
    with context.database.read() as connection:
        passkey = _find_stored(connection, visitor.organisation_id, assertion.credential_id)
    owner = presented.contact_id or (passkey.contact_id if passkey else None)
    device = devices.find_of_contact(context, visitor, owner) if owner is not None else None
    counted = attempt(
        context, visitor, passkey_limits(context, visitor, device), presented.kind, Failure.TOO_MANY_LOGINS
    )
    with counted, refusals_recorded(context, visitor, presented.kind, owner):
        if passkey is None:
            raise UnknownPasskey
        verified = webauthn_ceremonies.verify_assertion(presented.response.party, assertion, passkey.public_key)
        _check_owner(presented, passkey, verified)
        with context.database.write() as connection:
            now = context.clock()
            contact = _use(connection, visitor, passkey, verified, now)
            result = then(connection, contact, verified.user_verified, now)
        counted.give_back()
    return result


def _find_stored(connection: Connection, organisation_id: int, credential_id: bytes) -> _StoredPasskey | None:
    parameters = {"credential_id": credential_id, "organisation_id": organisation_id}
    row = connection.execute(_find, parameters).one_or_none()
    return _StoredPasskey(**row._asdict()) if row else None


def _check_owner(presented: PresentedPasskey, passkey: _StoredPasskey, verified: "VerifiedAssertion") -> None:
    """Check that the assertion names the passkey's customer, and that `can_sync` has not changed."""
    handle = verified.user_handle
    if presented.contact_id is not None:
        if presented.contact_id != passkey.contact_id:
            raise Refused(Failure.PASSKEY_REFUSED)
        handle = handle or passkey.user_handle  # optional for a passkey that was requested by its id
    if handle != passkey.user_handle or verified.can_sync != passkey.can_sync:
        raise Refused(Failure.PASSKEY_REFUSED)


def _use(
    connection: Connection, visitor: Visitor, passkey: _StoredPasskey, verified: "VerifiedAssertion", now: datetime
) -> ContactCredentials:
    """Lock and return the owner of a passkey, and store that it was used. Raises Refused."""
    contact = contacts.lock(connection, passkey.contact_id)
    if contact is None:  # closed or erased
        raise Refused(Failure.PASSKEY_REFUSED)
    sign_count = connection.execute(_sign_count, {"passkey_id": passkey.id}).scalar_one_or_none()
    if sign_count is None:  # removed meanwhile
        raise UnknownPasskey
    if contact.is_banned(now):
        raise Refused(Failure.BANNED)
    if contact.confirmed_at is None:
        raise Refused(Failure.UNVERIFIED)
    if not use_challenge(connection, verified.challenge):
        raise Refused(Failure.PASSKEY_EXPIRED)
    if 0 < max(sign_count, verified.sign_count) == sign_count:
        record(connection, visitor, EventKind.PASSKEY_COUNTER, contact_id=contact.id, now=now)
    used = {"last_used_at": now, "is_synced": verified.is_synced, "sign_count": max(sign_count, verified.sign_count)}
    connection.execute(update(PasskeyRow).where(PasskeyRow.c.id == passkey.id).values(used))
    return contact
