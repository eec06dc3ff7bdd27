"""Finish a sign-in that waits for its second step (sign_ins.py)."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from portal.domain import contacts, second_step, sign_ins
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.second_step import Guess
from portal.domain.sign_ins import SignInEnded
from portal.storage.database import retried


@dataclass(frozen=True)
class FinishedSignIn:
    """A sign-in whose second step is done."""

    identity: str = field(repr=False)
    remember: bool
    """What the customer chose at the first step."""
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    """The new ones, if the second step was set up with it."""
    codes_left: int | None = None
    """The recovery codes that are left, if one was used."""


@retried
def pass_two_step(
    context: Context, visitor: Visitor, value: str, code: str, *, replacing: str | None
) -> FinishedSignIn:
    """Check a code of the app or a recovery code, and sign the customer in; ends the identity it is `replacing`.

    `value` is that of the pending sign-in in the browser's cookie. Raises SignInEnded, and Refused (TWO_STEP_WRONG,
    TOO_MANY_LOGINS), which leaves the sign-in pending.
    """
    pending = sign_ins.find(context, visitor, value)

    guess = Guess(visitor, pending.contact_id, code, pending.kind)

    def finish(connection: Connection, contact: ContactCredentials, _now: datetime) -> FinishedSignIn:
        identity = sign_ins.finish(connection, context, visitor, contact, pending, replacing)
        status = second_step.find_status(connection, contact.id) if guess.is_recovery_code else None
        return FinishedSignIn(identity, pending.remember, codes_left=status.codes_left if status else None)

    return second_step.check(context, guess, finish)


@retried
def set_up_at_sign_in(
    context: Context, visitor: Visitor, value: str, secret: str, code: str, *, replacing: str | None
) -> FinishedSignIn:
    """Set the second step up that the organisation requires, and sign the customer in.

    Raises SignInEnded and Refused(TWO_STEP_WRONG), which leaves the sign-in pending.
    """
    pending = sign_ins.find(context, visitor, value)
    now = context.clock()
    with context.database.write() as connection:
        contact = contacts.lock(connection, pending.contact_id)
        if contact is None or contact.is_banned(now):
            raise SignInEnded
        codes = second_step.turn_on(connection, context, visitor, contact, secret, code)
        if codes is None:  # set up in another browser meanwhile: this sign-in has not passed it
            raise SignInEnded
        identity = sign_ins.finish(connection, context, visitor, contact, pending, replacing)
    return FinishedSignIn(identity, pending.remember, tuple(codes))
