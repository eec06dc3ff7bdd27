"""Check a customer's new password by the policy, hash it, and refuse one that was used before."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.domain import contacts
from portal.domain.audit_log import EventKind, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.passwords.policy import check_new_password
from portal.domain.rate_limiter import RateLimit
from portal.domain.rate_limits import attempt


@dataclass(frozen=True)
class NewPassword:
    """An accepted new password."""

    hash: str = field(repr=False)
    is_current: bool
    """Whether it is the customer's current one."""


@dataclass(frozen=True)
class PasswordChange:
    """How a password is changed.

    Refusals are events of `kind`. The answer "used before" reveals something about a former password, so such answers
    are counted on `limits`. The current password counts as used before, unless it `may_be_current`.
    """

    kind: EventKind
    limits: Sequence[RateLimit] = ()
    may_be_current: bool = False


def hash_new_password(
    context: Context, visitor: Visitor, contact: ContactCredentials, password: str, change: PasswordChange
) -> NewPassword:
    """Hash a new password: one computation, however many former passwords there are.

    Raises Busy, and Refused (PASSWORD_REFUSED with the reason, PASSWORD_REUSED, TOO_MANY_LOGINS).
    """
    with refusals_recorded(context, visitor, change.kind, contact.id):
        check_new_password(
            password,
            Failure.PASSWORD_REFUSED,
            min_length=context.rules.password_min_length,
            personal=(*contact.personal, visitor.organisation_name),
            breached=context.breached,
        )
    with attempt(context, visitor, change.limits, change.kind, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            former = contacts.former_passwords(connection, contact.id)
        if contact.password_hash:
            former.append(contact.password_hash)
        password_hash, is_reused = context.hasher.hash_new(password, contact.password_salt, former)
        is_current = change.may_be_current and is_reused and _is_current(context, contact, password, password_hash)
        if is_current or not is_reused:
            counted.give_back()
    with refusals_recorded(context, visitor, change.kind, contact.id):
        if is_reused and not is_current:
            raise Refused(Failure.PASSWORD_REUSED, field="password")
    return NewPassword(password_hash, is_current)


def _is_current(context: Context, contact: ContactCredentials, password: str, password_hash: str) -> bool:
    """Return whether a password is the current one; computes another hash only if that one has other parameters."""
    known = contact.password_hash
    if known is None:
        return False
    if context.hasher.is_current(known, contact.password_salt):
        return hmac.compare_digest(known, password_hash)
    return bool(context.hasher.matching(password, [known]))
