"""Change the password of a signed-in customer."""

from portal.domain import accounts, identities, lockout
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.current_password import PasswordPrompt, check_current_password, wrong_current_password
from portal.domain.errors import Refused
from portal.domain.identities import Customer, NewIdentity
from portal.domain.password_reuse import PasswordChange, hash_new_password
from portal.domain.use_cases.judge_password import judge_password
from portal.storage.database import retried

_PROMPT = PasswordPrompt(EventKind.PASSWORD_CHANGE, field="current_password")


@retried
def change_password(
    context: Context, visitor: Visitor, customer: Customer, current_password: str, password: str, *, remember: bool
) -> str:
    """Change the password of a customer who knows the current one; return a new identity for the one in use.

    Ends every identity, including the one in use, and every open link, and queues the security notice. A wrong current
    password is counted as a failed login, on the same counters. Two hashes are computed: of the current password, and
    of the new one, which is compared with all former ones. Raises Busy, SessionEnded, and Refused
    (WRONG_PASSWORD, TOO_MANY_LOGINS, PASSWORD_REFUSED, PASSWORD_REUSED).
    """
    contact, device = check_current_password(
        context,
        visitor,
        customer,
        current_password,
        _PROMPT,
        also=lambda contact: _objection(context, visitor, contact, password),
    )
    new = hash_new_password(context, visitor, contact, password, PasswordChange(EventKind.PASSWORD_CHANGE))
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_CHANGE, contact.id)
    with refusals, context.database.write() as connection:
        current = identities.lock_signed_in(connection, customer)
        if current.password_hash != contact.password_hash:
            raise wrong_current_password(_PROMPT.field)
        accounts.change_password(connection, context, visitor, current, new.hash, now)
        lockout.reset_wrong_passwords(connection, device, contact.id)
        record(connection, visitor, EventKind.PASSWORD_CHANGE, contact_id=contact.id, now=now)
        return identities.start(
            connection, context.rules, visitor, NewIdentity.next_of(customer, remember=remember), now
        )


def _objection(context: Context, visitor: Visitor, contact: ContactCredentials, password: str) -> Refused | None:
    """Return what the policy says against a new password, if anything; nothing is hashed or recorded."""
    try:
        judge_password(context, visitor, password, contact.personal)
    except Refused as refusal:
        return refusal
    return None
