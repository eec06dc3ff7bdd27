"""Reauthenticate a customer in a session before a dangerous change (recent_authentication.py).

The session continues under a new identity, so that a stolen copy of the old one gains nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from portal.domain import contacts, identities, lockout, one_time_links, passkeys, second_step
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.current_password import PasswordPrompt, check_current_password, wrong_current_password
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer, NewIdentity, Proof
from portal.domain.link_codes import get_open_link_by_code
from portal.domain.link_requests import email_link
from portal.domain.mailbox_proof import redeem
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.passkey_check import PresentedPasskey, check_passkey
from portal.domain.passkey_requests import PasskeyRequest, PasskeyResponse, Use, request_assertion
from portal.domain.relying_party import RelyingParty
from portal.domain.second_step import Guess
from portal.domain.tokens import Purpose
from portal.domain.values.email import Address
from portal.storage.database import retried

_CODE_WORDS = {
    Failure.WRONG_CODE: N_("This code isn't right. Check it, or ask for a new one."),
    Failure.CODE_ENDED: N_("This code can't be used any more. Please ask for a new one."),
}
"""The email with the code has no link to open instead."""
_PROMPT = PasswordPrompt(EventKind.REAUTHENTICATION, field="password")


@retried
def reauthenticate(context: Context, visitor: Visitor, customer: Customer, password: str) -> str | None:
    """Reauthenticate by the password; return the session's new identity, or None if the session has ended.

    A wrong password counts as a failed login does. Raises Refused (WRONG_PASSWORD, TOO_MANY_LOGINS) and Busy.
    """
    contact, device = check_current_password(context, visitor, customer, password, _PROMPT)
    now = context.clock()
    with context.database.write() as connection:
        current = contacts.lock(connection, contact.id)
        if current is None or current.is_banned(now) or current.password_hash != contact.password_hash:
            raise wrong_current_password(_PROMPT.field)
        lockout.reset_wrong_passwords(connection, device, contact.id)
        identity = identities.renew(connection, customer.identity_id, now)
        if identity is not None:
            record(connection, visitor, _PROMPT.kind, contact_id=contact.id, now=now)
    return identity


def request_code(context: Context, visitor: Visitor, customer: Customer) -> str:
    """Email a code to the customer's own address; return the public id for the browser. Raises
    Refused(TOO_MANY_MAILS).
    """
    address = Address(customer.email or "", customer.email_key or "")  # a customer who signs in in a browser has one
    return email_link(context, visitor, address, Purpose.REAUTHENTICATE)


def reauthenticate_by_code(
    context: Context, visitor: Visitor, customer: Customer, requests: Sequence[str], code: str, *, remember: bool
) -> str | None:
    """Reauthenticate by a code that this browser requested; return what `reauthenticate` does. Raises Refused.

    It is a proof of the mailbox, too (mailbox_proof.py): if it is the first one, every session ends and this one is
    started again.
    """
    try:
        link = get_open_link_by_code(context, visitor, Purpose.REAUTHENTICATE, requests, code)
        if link.contact_id != customer.id:
            raise Refused(Failure.WRONG_CODE)
    except Refused as refusal:
        raise Refused(refusal.failure, detail=_CODE_WORDS.get(refusal.failure), field="code") from None
    return _use_link(context, visitor, customer, link, remember=remember)


@retried
def _use_link(context: Context, visitor: Visitor, customer: Customer, link: OpenLink, *, remember: bool) -> str | None:
    with redeem(context, visitor, link) as redeemed:
        connection, contact_id, now = redeemed.connection, redeemed.contact.id, redeemed.now
        one_time_links.end_all(connection, contact_id, now, Purpose.REAUTHENTICATE)
        if redeemed.contact.proven_at is not None:
            return identities.renew(connection, customer.identity_id, now)
        new = NewIdentity.next_of(customer, remember=remember)
        return identities.start(connection, context.rules, visitor, new, now)


@retried
def reauthenticate_by_second_step(context: Context, visitor: Visitor, customer: Customer, code: str) -> str | None:
    """Reauthenticate by a code of the second step, after one of the other ways; return what `reauthenticate` does.

    Raises Refused (TWO_STEP_WRONG, TOO_MANY_LOGINS).
    """

    def renew(connection: Connection, contact: ContactCredentials, now: datetime) -> str | None:
        record(connection, visitor, EventKind.REAUTHENTICATION, contact_id=contact.id, now=now)
        return identities.renew(connection, customer.identity_id, now, Proof.SECOND_STEP)

    return second_step.check(context, Guess(visitor, customer.id, code, EventKind.REAUTHENTICATION), renew)


def request_own_passkey(context: Context, customer: Customer, party: RelyingParty) -> PasskeyRequest:
    """Return the request to a browser for one of the customer's own passkeys. Nothing is stored."""
    with context.database.read() as connection:
        own = passkeys.list_descriptors(connection, customer.id)
    return request_assertion(party, Use.REAUTHENTICATE, context.clock(), own)


@retried
def reauthenticate_by_passkey(
    context: Context, visitor: Visitor, customer: Customer, response: PasskeyResponse
) -> str | None:
    """Reauthenticate by a passkey of the customer; return what `reauthenticate` does.

    One whose authenticator has verified its user proves the second step as well. Raises what `check_passkey` does.
    """

    def renew(connection: Connection, contact: ContactCredentials, user_verified: bool, now: datetime) -> str | None:
        record(connection, visitor, EventKind.REAUTHENTICATION, contact_id=contact.id, now=now)
        proof = Proof.BOTH if user_verified else Proof.FIRST_STEP
        return identities.renew(connection, customer.identity_id, now, proof)

    presented = PresentedPasskey(visitor, response, Use.REAUTHENTICATE, EventKind.REAUTHENTICATION, customer.id)
    return check_passkey(context, presented, renew)
