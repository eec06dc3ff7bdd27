"""Registration by a shop's server, which is told what is known of an address, and vouches for who brings the link."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlalchemy import Connection

from portal.domain import contacts
from portal.domain.audit_log import EventKind, refusals_recorded
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.pending_registrations import newest_pending
from portal.domain.use_cases import register
from portal.domain.use_cases.confirm_registration import create_account, get_confirmation
from portal.domain.use_cases.register import RegistrationRequest
from portal.storage.database import retried


@dataclass(frozen=True)
class Confirmed:
    """A registration that has become an account."""

    email: str
    return_url: str | None


@retried
def register_by_api(context: Context, visitor: Visitor, application: RegistrationRequest) -> None:
    """Store a registration and queue its mail, or raise Refused with what the shop must know.

    In this order: REGISTRATION_BANNED; ALREADY_REGISTERED; TOO_MANY_REGISTRATIONS while a registration of the address
    that waits is younger than REGISTER_RETRY, or past the limits; REGISTRATION_FAILED with what is wrong with the
    password. So a customer who has an account hears of it whatever password they typed, and a ban is told of an account
    too: "registered" would send them to a login that stays shut. Raises Busy too.

    What is known is looked at before the password is hashed, to answer soon, and decided under the contact's lock: of
    parallel registrations of one address one is stored. After REGISTER_RETRY another is stored beside the earlier one,
    which keeps its link and password: the first to be confirmed ends the others.
    """
    with context.database.read() as connection:
        known = contacts.find(connection, visitor.organisation_id, application.address.key)
        contact_id = known.id if known else None
        failure = known and _against(connection, context, known, context.clock())
    with refusals_recorded(context, visitor, EventKind.REGISTER, contact_id):
        if failure:
            raise failure
    with register.locked_contact(context, visitor, application) as held:
        failure = _against(held.connection, context, held.contact, held.now)
        if failure:
            raise failure
        register.store(context, visitor, application, held)


def _against(connection: Connection, context: Context, contact: ContactCredentials, now: datetime) -> Refused | None:
    """What stands against another registration of a contact."""
    if contact.banned_at:
        return Refused(Failure.REGISTRATION_BANNED)
    if contact.password_hash:
        return Refused(Failure.ALREADY_REGISTERED)
    newest = newest_pending(connection, contact.id)
    if newest is None or now >= newest + context.rules.register_retry:
        return None
    wait = newest + context.rules.register_retry - now
    return Refused(Failure.TOO_MANY_REGISTRATIONS, retry_after=ceil(wait.total_seconds()))


@retried
def confirm_by_api(context: Context, visitor: Visitor, token: str) -> Confirmed:
    """Confirm a registration for whoever brought its link to the shop; nobody is signed in by it.

    The key's holder vouches that this is who chose the password, so it is not asked for (docs/api.md).
    Raises Refused (NO_SUCH_LINK, LINK_ENDED, LINK_EXPIRED, TOO_MANY_LOGINS).
    """
    found = get_confirmation(context, visitor, token, registration=None)
    with create_account(context, visitor, found):
        return Confirmed(found.email, found.return_url)
