"""Sign a customer in by a passkey, which names the account itself."""

from datetime import datetime

from sqlalchemy import Connection

from portal.domain import sign_ins
from portal.domain.audit_log import EventKind
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.domain.passkey_check import PresentedPasskey, check_passkey
from portal.domain.passkey_requests import PasskeyRequest, PasskeyResponse, Use, request_assertion
from portal.domain.relying_party import RelyingParty
from portal.domain.sign_ins import FirstStep, SignIn
from portal.storage.database import retried


def request_passkey(context: Context, party: RelyingParty) -> PasskeyRequest:
    """Return the request to a browser for any passkey of this host. Nothing is stored."""
    return request_assertion(party, Use.SIGN_IN, context.clock())


@retried
def log_in_by_passkey(
    context: Context, visitor: Visitor, response: PasskeyResponse, *, remember: bool, replacing: str | None
) -> SignIn:
    """Begin the sign-in of the owner of a passkey (sign_ins.py); a new identity ends the one it is `replacing`.

    A passkey whose authenticator has verified its user is both steps of the sign-in; any other one is the first.
    Raises what `check_passkey` does.
    """

    def begin(connection: Connection, contact: ContactCredentials, user_verified: bool, now: datetime) -> SignIn:
        second_step_at = now if user_verified else None
        new = NewIdentity(contact.id, remember, replacing, is_proof=True, second_step_at=second_step_at)
        first = FirstStep(contact, EventKind.SIGN_IN_BY_PASSKEY, new)
        return sign_ins.begin(connection, context, visitor, first, now)

    presented = PresentedPasskey(visitor, response, Use.SIGN_IN, EventKind.SIGN_IN_BY_PASSKEY)
    return check_passkey(context, presented, begin)
