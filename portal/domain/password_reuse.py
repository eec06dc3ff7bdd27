"""Check a customer's new password by the policy, hash it, and refuse one that was used before."""

from collections.abc import Sequence

from portal.domain import contacts
from portal.domain.audit_log import EventKind, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.passwords.policy import check_new_password
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
    """Return the hash of a new password: one computation, however many former passwords there are.

    The answer "used before" reveals something about a former password, so such answers are counted on `limits`. Raises
    Busy, and Refused (PASSWORD_REFUSED with the reason, PASSWORD_REUSED, TOO_MANY_LOGINS), an event of `kind` each.
    """
    with refusals_recorded(context, visitor, kind, contact.id):
        check_new_password(
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
