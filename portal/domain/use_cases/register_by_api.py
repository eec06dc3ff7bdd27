"""Registration by a shop's server. It learns whether an address is known, and vouches for the confirmation."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlalchemy import Connection

from portal.domain import contacts
from portal.domain.address_changes import is_reserved_for_another
from portal.domain.audit_log import EventKind, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.pending_registrations import newest_pending_at
from portal.domain.use_cases import register
from portal.domain.use_cases.confirm_registration import create_account, get_confirmation
from portal.domain.use_cases.register import RegistrationRequest
from portal.storage.database import retried


@dataclass(frozen=True)
class ConfirmedRegistration:
    """A registration that was confirmed."""

    email: str
    return_url: str | None


@retried
def register_by_api(context: Context, visitor: Visitor, request: RegistrationRequest) -> None:
    """Store a registration and queue its email, or raise Refused for the shop.

    Checks in this order: REGISTRATION_BANNED; ALREADY_REGISTERED; TOO_MANY_REGISTRATIONS while a pending registration
    of the address is younger than REGISTER_RETRY, or above the rate limits; REGISTRATION_FAILED with the problem of the
    password. So the answer for an existing account does not depend on the password, and a ban comes before
    "registered", which would send the customer to a login that refuses them. A closed account is answered as an unknown
    address is. Raises Busy too.

    The contact is checked before the password is hashed, to answer quickly, and again under its lock: of parallel
    registrations of one address one is stored. After REGISTER_RETRY another one is stored beside the earlier one, which
    stays valid; the first to be confirmed ends the others. A former address that is reserved for its customer
    (address_changes.py) counts as registered.
    """
    with context.database.read() as connection:
        known = contacts.find(connection, visitor.organisation_id, request.address.key)
        contact_id = known.id if known else None
        failure = known and _find_refusal(connection, context, known, context.clock())
    with refusals_recorded(context, visitor, EventKind.REGISTER, contact_id):
        if failure:
            raise failure
    with register.locked_contact(context, visitor, request) as locked:
        connection, contact, now = locked.connection, locked.contact, locked.now
        failure = _find_refusal(connection, context, contact, now)
        if failure:
            raise failure
        if is_reserved_for_another(connection, visitor.organisation_id, request.address.key, contact.id, now):
            raise Refused(Failure.ALREADY_REGISTERED)
        register.store(context, visitor, request, locked)


def _find_refusal(
    connection: Connection, context: Context, contact: ContactCredentials, now: datetime
) -> Refused | None:
    """Return the reason to refuse another registration of a contact, or None."""
    if contact.is_banned(now):
        return Refused(Failure.REGISTRATION_BANNED)
    if contact.password_hash:
        return Refused(Failure.ALREADY_REGISTERED)
    newest = newest_pending_at(connection, contact.id, decoys=contact.is_closed)
    if newest is None or now >= newest + context.rules.register_retry:
        return None
    wait = newest + context.rules.register_retry - now
    return Refused(Failure.TOO_MANY_REGISTRATIONS, retry_after=ceil(wait.total_seconds()))


@retried
def confirm_by_api(context: Context, visitor: Visitor, token: str) -> ConfirmedRegistration:
    """Confirm a registration at the request of a shop's server, without signing the customer in.

    The shop vouches that its visitor chose the password, so it is not asked for (docs/api.md). Raises Refused
    (NO_SUCH_LINK, LINK_ENDED, LINK_EXPIRED, TOO_MANY_LOGINS).
    """
    confirmation = get_confirmation(context, visitor, token, registration=None)
    with create_account(context, visitor, confirmation):
        return ConfirmedRegistration(confirmation.email, confirmation.return_url)
