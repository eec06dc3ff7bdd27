"""Add a passkey to the account, in two requests: what the browser needs to make one, then the passkey."""

from portal.domain import identities, passkeys
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.domain.passkey_requests import (
    PasskeyRequest,
    PasskeyResponse,
    User,
    new_user_handle,
    request_credential,
    use_challenge,
)
from portal.domain.passkeys import MAX_PASSKEYS, Passkey
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.relying_party import RelyingParty
from portal.storage.database import retried


def request_new_passkey(context: Context, customer: Customer, party: RelyingParty) -> PasskeyRequest:
    """Return the request to a browser to make a passkey for a customer. Nothing is stored.

    Raises NotRecentlyAuthenticated and Refused(TOO_MANY_PASSKEYS).
    """
    require_recent_authentication(context, customer)
    with context.database.read() as connection:
        handle = passkeys.find_user_handle(connection, customer.id)
        known = passkeys.list_descriptors(connection, customer.id)
    if len(known) >= MAX_PASSKEYS:
        raise Refused(Failure.TOO_MANY_PASSKEYS)
    name = customer.email or customer.cu_ref_no
    user = User(handle or new_user_handle(), name, customer.name or name)
    return request_credential(party, user, context.clock(), known)


@retried
def add_passkey(context: Context, visitor: Visitor, customer: Customer, response: PasskeyResponse) -> Passkey:
    """Store the passkey that an authenticator has made, and queue the notice.

    Of two first passkeys at once one is stored, so that all of a customer's have one user handle. Raises
    NotRecentlyAuthenticated, SessionEnded and Refused (PASSKEY_NOT_ADDED, PASSKEY_EXPIRED, TOO_MANY_PASSKEYS).
    """
    from portal.domain.webauthn_ceremonies import verify_credential  # loads a library that most requests do not need

    require_recent_authentication(context, customer)
    now = context.clock()
    with refusals_recorded(context, visitor, EventKind.PASSKEY_ADD, customer.id):
        new = verify_credential(response, now)
        with context.database.write() as connection:
            contact = identities.lock_signed_in(connection, customer)
            if len(passkeys.list_descriptors(connection, contact.id)) >= MAX_PASSKEYS:
                raise Refused(Failure.TOO_MANY_PASSKEYS)
            if passkeys.find_user_handle(connection, contact.id) not in (None, new.challenge.user_handle):
                raise Refused(Failure.PASSKEY_NOT_ADDED)
            if not use_challenge(connection, new.challenge):
                raise Refused(Failure.PASSKEY_EXPIRED)
            added = passkeys.add(connection, contact.id, new, now)
            if added is None:
                raise Refused(Failure.PASSKEY_NOT_ADDED)
            record(connection, visitor, EventKind.PASSKEY_ADD, contact_id=contact.id, now=now)
            notify(connection, context, visitor, contact, Notice.PASSKEY_ADDED, {"provider": added.provider})
    return added
