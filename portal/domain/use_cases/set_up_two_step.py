"""Set up two-step verification with an authenticator app, in two requests: show a secret, then check a code of it.

The secret is kept encrypted by the browser in between, so that looking at the page stores nothing.
"""

from dataclasses import dataclass, field

import pyotp

from portal.domain import identities, second_step
from portal.domain.context import Context, Visitor
from portal.domain.identities import Customer, Proof
from portal.domain.recent_authentication import require_recent_authentication
from portal.domain.secret_box import Unreadable
from portal.domain.tokens import CODE_DIGITS
from portal.storage.database import retried

_ISSUER_LENGTH = 40
"""Characters of the organisation's name in a QR code, which holds twice their UTF-8 in percent encoding."""


@dataclass(frozen=True)
class SetUp:
    """What an authenticator app needs."""

    secret: str = field(repr=False)
    """In base32, to be typed into an app."""
    sealed: str = field(repr=False)
    """The secret as the browser keeps it, encrypted for this customer."""
    uri: str = field(repr=False)
    """The content of the QR code (otpauth://)."""


@dataclass(frozen=True)
class TwoStepIsOn:
    """The result of a set-up."""

    recovery_codes: tuple[str, ...] = field(repr=False)
    identity: str | None = field(repr=False)
    """The session's new identity; None when the session has ended meanwhile."""


def begin_set_up(
    context: Context, visitor: Visitor, contact_id: int, email: str | None, *, sealed: str | None
) -> SetUp:
    """Return the secret that the browser keeps for this customer, or a new one."""
    secret = None if sealed is None else _open(context, contact_id, sealed)
    if sealed is None or secret is None:
        secret = second_step.new_secret()
        sealed = context.secret_box.seal(contact_id, secret)
    generator = pyotp.TOTP(secret, digits=CODE_DIGITS, interval=second_step.STEP_SECONDS)
    issuer = visitor.organisation_name.replace(":", " ")[:_ISSUER_LENGTH]  # a colon ends the issuer for some apps
    uri = generator.provisioning_uri(name=email or "", issuer_name=issuer)
    return SetUp(secret, sealed, uri)


def _open(context: Context, contact_id: int, sealed: str) -> str | None:
    try:
        return context.secret_box.open(contact_id, sealed)
    except Unreadable:
        return None


@retried
def set_up_two_step(
    context: Context, visitor: Visitor, customer: Customer, secret: str, code: str
) -> TwoStepIsOn | None:
    """Turn two-step verification on for an app that shows a right code. None if it is on already.

    Raises NotRecentlyAuthenticated, SessionEnded and Refused(TWO_STEP_WRONG).
    """
    require_recent_authentication(context, customer)
    now = context.clock()
    with context.database.write() as connection:
        contact = identities.lock_signed_in(connection, customer)
        codes = second_step.turn_on(connection, context, visitor, contact, secret, code)
        if codes is None:
            return None
        return TwoStepIsOn(tuple(codes), identities.renew(connection, customer.identity_id, now, Proof.SECOND_STEP))
