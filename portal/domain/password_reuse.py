"""A new password of a customer: checked by the policy, hashed, and refused when it was used before."""

from collections.abc import Sequence

from portal.domain import contacts
from portal.domain.audit_log import EventKind, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.passwords.policy import refuse_unfit
from portal.domain.rate_limiter import RateLimit
from portal.domain.rate_limits import attempt


def hash_new_password(
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    password: str,
    kind: EventKind,
    limits: Sequence[RateLimit] = (),
) -> str:
    """The hash of a new password, to be stored; one computation, however many former passwords there are.

    To be told "used before" tells something about a former password: such answers are counted against `limits`. Raises
    Refused (PASSWORD_REFUSED with the reason, PASSWORD_REUSED, TOO_MANY_LOGINS), recorded as refusals of `kind`, and
    Busy.
    """
    with refusals_recorded(context, visitor, kind, contact.id):
        refuse_unfit(
            password,
            Failure.PASSWORD_REFUSED,
            min_length=context.rules.password_min_length,
            personal=(*contact.personal, visitor.organisation_name),
            breached=context.breached,
        )
    with attempt(context, visitor, limits, kind, Failure.TOO_MANY_LOGINS) as counted:
        with context.database.read() as connection:
            former = contacts.former_passwords(connection, contact.id)
        if contact.password_hash:
            former.append(contact.password_hash)
        password_hash, is_reused = context.hasher.hash_new(password, contact.password_salt, former)
        if not is_reused:
            counted.give_back()
    with refusals_recorded(context, visitor, kind, contact.id):
        if is_reused:
            raise Refused(Failure.PASSWORD_REUSED, field="password")
    return password_hash
