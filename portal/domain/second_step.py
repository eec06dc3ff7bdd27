"""The second step of signing in: a code of an authenticator app (TOTP, RFC 6238), or a recovery code.

A code of an app is accepted in its time step of 30 seconds and one step before and after it, for clocks that differ;
and only if its step is later than that of the last accepted code, so none is accepted twice.
"""

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import pyotp
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from portal.domain import contacts, devices, lockout, recovery_codes, trusted_browsers
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.domain.rate_limits import attempt, recovery_code_limits, second_step_limits
from portal.domain.secret_box import Unreadable
from portal.domain.tokens import CODE_DIGITS
from portal.domain.values.text import without_separators
from portal.storage.models import RecoveryCode, SecondStep

STEP_SECONDS = 30
_TOLERATED_STEPS = (0, -1, 1)
_WRONG_RECOVERY = N_(
    "This recovery code isn't right, or it was used before. Check it, or enter another one that you saved."
)
_WRONG_AT_SET_UP = N_(
    "This code isn't right. Enter the next one that your app shows. If that fails too, check that the time on your "
    "phone is set automatically."
)
_LOCKED = N_("Too many wrong codes were entered. Use a recovery code, or a browser you've signed in with before.")

_log = logging.getLogger("portal.security")
T = TypeVar("T")


@dataclass(frozen=True)
class SecondStepStatus:
    """The second step of a customer who has one."""

    since: datetime
    codes_left: int
    """The number of unused recovery codes."""


_status = select(
    SecondStep.c.created_at.label("since"),
    select(func.count())
    .where(RecoveryCode.c.contact_id == SecondStep.c.contact_id, RecoveryCode.c.used_at.is_(None))
    .scalar_subquery()
    .label("codes_left"),
).where(SecondStep.c.contact_id == bindparam("contact_id"))
_is_on = select(SecondStep.c.contact_id).where(SecondStep.c.contact_id == bindparam("contact_id"))
_secret = select(SecondStep.c.secret).where(SecondStep.c.contact_id == bindparam("contact_id"))
_use_time_step = (
    update(SecondStep)
    .where(SecondStep.c.contact_id == bindparam("of_contact"), SecondStep.c.last_time_step < bindparam("time_step"))
    .values(last_time_step=bindparam("time_step"))
    .returning(SecondStep.c.contact_id)
)


def find_status(connection: Connection, contact_id: int) -> SecondStepStatus | None:
    """Return the second step of a customer, or None."""
    row = connection.execute(_status, {"contact_id": contact_id}).one_or_none()
    return SecondStepStatus(**row._asdict()) if row else None


def is_on(connection: Connection, contact_id: int) -> bool:
    """Return whether a customer signs in with a second step."""
    return connection.execute(_is_on, {"contact_id": contact_id}).one_or_none() is not None


def new_secret() -> str:
    """Return the base32 of 160 random bits (RFC 4226, 4)."""
    return pyotp.random_base32()


def find_time_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step that a code belongs to; None for a code of no step that is tolerated now."""
    current = int(now.timestamp()) // STEP_SECONDS
    generator = pyotp.TOTP(secret, digits=CODE_DIGITS, interval=STEP_SECONDS)
    typed = without_separators(code).encode("utf-8", "replace")
    for time_step in (current + offset for offset in _TOLERATED_STEPS):
        if hmac.compare_digest(generator.generate_otp(time_step).encode(), typed):
            return time_step
    return None


def turn_on(
    connection: Connection, context: Context, visitor: Visitor, contact: ContactCredentials, secret: str, code: str
) -> list[str] | None:
    """Store the secret of an app that has shown a code, and queue the notice; return the recovery codes.

    None if the customer has a second step already. The caller has locked the contact's row. Raises
    Refused(TWO_STEP_WRONG).
    """
    now = context.clock()
    if is_on(connection, contact.id):
        return None
    time_step = find_time_step(secret, code, now)
    if time_step is None:
        raise Refused(Failure.TWO_STEP_WRONG, detail=_WRONG_AT_SET_UP, field="code")
    values = {
        "contact_id": contact.id,
        "secret": context.secret_box.seal(contact.id, secret),
        "key_id": context.secret_box.key_id,
        "last_time_step": time_step,
        "failed_codes": 0,
        "created_at": now,
    }
    connection.execute(insert(SecondStep), values)
    record(connection, visitor, EventKind.TWO_STEP_ON, contact_id=contact.id, now=now)
    notify(connection, context, visitor, contact, Notice.TWO_STEP_ON)
    return recovery_codes.replace_all(connection, contact.id, now)


def turn_off(connection: Connection, contact_id: int) -> bool:
    """Delete a customer's second step, recovery codes and trust in browsers; return whether there was a second step."""
    connection.execute(delete(RecoveryCode).where(RecoveryCode.c.contact_id == contact_id))
    trusted_browsers.end_all(connection, contact_id)
    return connection.execute(delete(SecondStep).where(SecondStep.c.contact_id == contact_id)).rowcount > 0


def remove_since(connection: Connection, contact_id: int, moment: datetime) -> None:
    """Remove the second step, or its recovery codes, if they are newer than a moment; end trust in all browsers."""
    for table in (SecondStep, RecoveryCode):
        connection.execute(delete(table).where(table.c.contact_id == contact_id, table.c.created_at > moment))
    trusted_browsers.end_all(connection, contact_id)


@dataclass(frozen=True)
class Guess:
    """A code that a visitor entered for a customer."""

    visitor: Visitor
    contact_id: int
    text: str = field(repr=False)
    kind: EventKind
    """The event that a wrong code is recorded as."""

    @property
    def typed(self) -> str:
        """The text in lower case, without separators."""
        return without_separators(self.text).lower()

    @property
    def is_recovery_code(self) -> bool:
        """Whether it is meant as a recovery code, complete or not, rather than as the digits of an app."""
        return len(self.typed) > 2 * CODE_DIGITS or any(map(str.isalpha, self.typed))


def check(context: Context, guess: Guess, then: Callable[[Connection, ContactCredentials, datetime], T]) -> T:
    """Check a code of the app or a recovery code, and do what a right one allows, in one transaction.

    Every code is counted before it is checked: against the rate limits, and codes of an app also in the database, where
    at most LOCKING_FAILURES in a row are checked (NIST SP 800-63B-4, 3.2.2). Codes of an app, recovery codes and known
    browsers each have their own counters, so that guesses at one never block another. Raises Refused (TWO_STEP_WRONG,
    TOO_MANY_LOGINS), and what `then` raises, which leaves the code unused.
    """
    visitor, contact_id = guess.visitor, guess.contact_id
    device = devices.find_of_contact(context, visitor, contact_id)
    limits_of = recovery_code_limits if guess.is_recovery_code else second_step_limits
    limits = limits_of(context, visitor, contact_id, device)
    with attempt(context, visitor, limits, guess.kind, Failure.TOO_MANY_LOGINS) as counted:
        now, locked = context.clock(), False
        with context.database.write() as connection:
            contact = contacts.lock(connection, contact_id)
            if contact is None or contact.is_banned(now):
                is_right = False
            elif guess.is_recovery_code:
                is_right = recovery_codes.use(connection, context, visitor, contact, guess.typed)
            else:
                locked = not lockout.count_app_code(connection, device, contact_id)
                is_right = not locked and _try_app_code(connection, context, contact_id, guess.typed)
            if contact is not None and is_right:
                lockout.reset_app_codes(connection, device, contact_id)
                result = then(connection, contact, now)
                counted.give_back()
                return result
            refusal = Failure.TWO_STEP_WRONG
            record(connection, visitor, guess.kind, contact_id=contact_id, now=now, refusal=refusal)
        detail = _LOCKED if locked else _WRONG_RECOVERY if guess.is_recovery_code else None
        raise Refused(refusal, detail=detail, field="code")


def _try_app_code(connection: Connection, context: Context, contact_id: int, typed: str) -> bool:
    sealed = connection.execute(_secret, {"contact_id": contact_id}).scalar_one_or_none()
    if sealed is None:
        return False
    try:
        secret = context.secret_box.open(contact_id, sealed)
    except Unreadable:
        _log.error(
            "second step of contact %d: cannot be decrypted; add the former SECRET_KEY to SECRET_KEY_FALLBACKS",
            contact_id,
        )
        return False
    time_step = find_time_step(secret, typed, context.clock())
    if time_step is None:
        return False
    used = connection.execute(_use_time_step, {"of_contact": contact_id, "time_step": time_step})
    return used.one_or_none() is not None
