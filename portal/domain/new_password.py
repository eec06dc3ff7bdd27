"""Whether a customer may take a new password: fit by the policy, and never had before."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from portal.domain import contacts
from portal.domain.contacts import Known
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.events import EventKind, refusals_recorded
from portal.domain.guards import count_or_refuse, given_back_unless_done
from portal.domain.passwords import refuse_unfit
from portal.domain.throttling import Guard


def judge_new_password(context: Context, visitor: Visitor, password: str, personal: Sequence[str | None]) -> None:
    """Raise Refused (PASSWORD_REFUSED with the reason) for a password that the policy refuses.

    By what was typed beside it and the name of who is signed in (`personal`) alone: nothing is hashed, stored,
    recorded, or compared with what is known of another customer, so that it tells nobody anything.
    """
    refuse_unfit(
        password,
        Failure.PASSWORD_REFUSED,
        min_length=context.rules.password_min_length,
        personal=(*personal, visitor.organisation_name),
    )


def objection_to(context: Context, visitor: Visitor, contact: Known, password: str) -> Refused | None:
    """Return what the policy says against a new password of a contact, if anything; nothing is hashed or recorded."""
    try:
        judge_new_password(context, visitor, password, contact.personal)
    except Refused as refusal:
        return refusal
    return None


@dataclass(frozen=True)
class NewPassword:
    """A password that a customer may take."""

    hash: str = field(repr=False)
    is_current: bool
    """Whether it is the one that they have."""


def hash_new_password(
    context: Context,
    visitor: Visitor,
    contact: Known,
    password: str,
    kind: EventKind,
    guards: Sequence[Guard] = (),
    *,
    may_be_current: bool = False,
) -> NewPassword:
    """Hash a new password, to be stored; one computation, however many former passwords there are.

    The current password counts as used before, unless it `may_be_current`. To be told "used before" tells something
    about a former password: such answers are counted against `guards`. Raises Refused (PASSWORD_REFUSED with the
    reason, PASSWORD_REUSED, TOO_MANY_LOGINS), recorded as refusals of `kind`, and Busy.
    """
    with refusals_recorded(context, visitor, kind, contact.id):
        judge_new_password(context, visitor, password, contact.personal)
    count_or_refuse(context, visitor, guards, kind, Failure.TOO_MANY_LOGINS)
    with context.database.read() as connection:
        former = contacts.former_passwords(connection, contact.id)
    if contact.password_hash:
        former.append(contact.password_hash)
    with given_back_unless_done(context, guards):
        password_hash, reused = context.hasher.hash_new(password, contact.password_salt, former)
        is_current = may_be_current and reused and _is_current(context, contact, password, password_hash)
    with refusals_recorded(context, visitor, kind, contact.id):
        if reused and not is_current:
            raise Refused(Failure.PASSWORD_REUSED, field="password")
    context.throttle.give_back(guards)
    return NewPassword(password_hash, is_current)


def _is_current(context: Context, contact: Known, password: str, password_hash: str) -> bool:
    """Whether a password is the current one; computes another hash only where that one has other parameters."""
    known = contact.password_hash
    if known is None:
        return False
    if context.hasher.is_current(known, contact.password_salt):
        return hmac.compare_digest(known, password_hash)
    return bool(context.hasher.matching(password, [known]))
