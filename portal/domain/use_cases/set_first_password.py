"""Set the first password of a customer who signs in by email."""

from portal.domain import accounts, contacts, identities
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer, NewIdentity
from portal.domain.messages import N_
from portal.domain.password_reuse import PasswordChange, hash_new_password
from portal.domain.recent_authentication import require_recent_authentication
from portal.storage.database import retried

_HAS_ONE = N_("Your account already has a password. Reload this page to change it.")


@retried
def set_first_password(context: Context, visitor: Visitor, customer: Customer, password: str, *, remember: bool) -> str:
    """Set the password of a customer without one; return a new identity for the one in use.

    Ends every identity, including the one in use, and every open link. Raises NotRecentlyAuthenticated,
    SessionEnded, Refused (PASSWORD_REFUSED, PASSWORD_REUSED) and Busy.
    """
    require_recent_authentication(context, customer)
    with context.database.read() as connection:
        contact = contacts.find_by_id(connection, customer.id)
    if contact is None or contact.password_hash is not None:
        raise Refused(Failure.PASSWORD_REFUSED, detail=_HAS_ONE)
    new = hash_new_password(context, visitor, contact, password, PasswordChange(EventKind.PASSWORD_SET))
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.PASSWORD_SET, contact.id)
    with refusals, context.database.write() as connection:
        current = identities.lock_signed_in(connection, customer)
        if current.password_hash is not None:
            raise Refused(Failure.PASSWORD_REFUSED, detail=_HAS_ONE)
        accounts.change_password(connection, context, visitor, current, new.hash, now)
        record(connection, visitor, EventKind.PASSWORD_SET, contact_id=contact.id, now=now)
        return identities.start(
            connection, context.rules, visitor, NewIdentity.next_of(customer, remember=remember), now
        )
