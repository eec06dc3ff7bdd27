"""Confirm a registration by the emailed link or code: this proves the mailbox and creates the account."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from portal.domain import accounts, devices, lockout, one_time_links, pending_registrations, sign_ins
from portal.domain.audit_log import EventKind, record
from portal.domain.contact_details import TEXT_FIELDS, ContactDetails, fill_empty_fields
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import NewIdentity
from portal.domain.link_codes import get_open_link_by_code
from portal.domain.mailbox_proof import RedeemedLink, redeem
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.rate_limits import attempt, password_limits
from portal.domain.sign_ins import FirstStep, SignIn
from portal.domain.tokens import Purpose
from portal.storage.database import retried
from portal.storage.models import Contact, Link, Registration

_WRONG_CHOSEN_PASSWORD = N_("This isn't the password you chose when registering. Try again, or set a new password.")


@dataclass(frozen=True)
class Confirmation:
    """A registration that can be confirmed now."""

    link: OpenLink
    email: str
    email_key: str
    needs_password: bool
    """Whether the customer must enter the chosen password, because this is not the registering browser."""
    written_email: str
    """The address in the spelling of the registration."""
    return_url: str | None
    """The return URL, which was allowed at the time of the registration: to be checked again."""
    password_hash: str = field(repr=False)


def get_confirmation(context: Context, visitor: Visitor, token: str, *, registration: str | None) -> Confirmation:
    """Return the registration of a link; `registration` is the public id that this browser stores. Raises Refused."""
    return _of_link(context, one_time_links.get_open_link(context, visitor, Purpose.VERIFY, token), registration)


def get_confirmation_by_code(context: Context, visitor: Visitor, registration: str | None, code: str) -> Confirmation:
    """Count an attempt to enter a code, and return the registration of the right one. Raises Refused."""
    find = (
        select(Link.c.public_id)
        .join(Registration, Registration.c.id == Link.c.registration_id)
        .where(Registration.c.public_id == registration)
    )
    with context.database.read() as connection:
        public_ids = list(connection.execute(find).scalars())
    return _of_link(context, get_open_link_by_code(context, visitor, Purpose.VERIFY, public_ids, code), registration)


def _of_link(context: Context, link: OpenLink, registration: str | None) -> Confirmation:
    find = (
        select(
            Registration.c.public_id,
            Registration.c.password_hash,
            Registration.c.return_url,
            Registration.c.email.label("written_email"),
            Contact.c.email_key,
        )
        .join(Contact, Contact.c.id == Registration.c.contact_id)
        .where(
            Registration.c.id == link.registration_id,
            Registration.c.ended_at.is_(None),
            Registration.c.is_decoy.is_(False),
        )
    )
    with context.database.read() as connection:
        row = connection.execute(find).one_or_none()
    if row is None:
        raise Refused(Failure.LINK_ENDED)
    same_browser = registration is not None and hmac.compare_digest(row.public_id, registration)
    return Confirmation(
        link=link,
        email=link.email,
        email_key=row.email_key,
        needs_password=not same_browser,
        written_email=row.written_email,
        return_url=row.return_url,
        password_hash=row.password_hash,
    )


@retried
def confirm(
    context: Context,
    visitor: Visitor,
    confirmation: Confirmation,
    password: str | None,
    *,
    remember: bool,
    replacing: str | None,
) -> SignIn:
    """Confirm a registration and begin the sign-in of its customer; a new identity ends the one it is `replacing`.

    In another browser than the registering one, `password` must be the one chosen there: an attacker may have chosen
    it and wait for the owner of the mailbox to open the link (account pre-hijacking). Of any number of registrations of
    an address one is confirmed and the others end. Raises Refused.
    """
    if confirmation.needs_password:
        _check_password(context, visitor, confirmation, password or "")
    with create_account(context, visitor, confirmation) as created:
        new = NewIdentity(created.contact.id, remember, replacing, is_proof=True)
        first = FirstStep(created.contact, EventKind.SIGN_IN, new)
        return sign_ins.begin(created.connection, context, visitor, first, created.now)


@contextmanager
def create_account(context: Context, visitor: Visitor, confirmation: Confirmation) -> Iterator[RedeemedLink]:
    """Create the account of a registration, in one transaction with the block. Raises Refused."""
    link = confirmation.link
    with redeem(context, visitor, link, written_email=confirmation.written_email) as redeemed:
        connection, contact = redeemed.connection, redeemed.contact
        if contact.password_hash:
            raise Refused(Failure.LINK_ENDED)
        accounts.set_password(connection, contact, confirmation.password_hash, redeemed.now)
        _copy_details(connection, visitor.organisation_id, contact.id, link.registration_id)
        yield redeemed


def _check_password(context: Context, visitor: Visitor, confirmation: Confirmation, password: str) -> None:
    device = devices.find(context, visitor, confirmation.email_key)
    limits = password_limits(context, visitor, confirmation.email_key, device)
    with attempt(context, visitor, limits, EventKind.CONFIRM, Failure.TOO_MANY_LOGINS) as counted:
        if context.hasher.matching(password, [confirmation.password_hash]):
            counted.give_back()
            return
    now = context.clock()
    with context.database.write() as connection:
        contact_id = confirmation.link.contact_id
        lockout.count_wrong_password(connection, device, contact_id)
        pending_registrations.count_wrong_password(connection, contact_id)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact_id, now=now, refusal=Failure.WRONG_PASSWORD)
    raise Refused(Failure.WRONG_PASSWORD, detail=_WRONG_CHOSEN_PASSWORD, field="password")


def _copy_details(connection: Connection, organisation_id: int, contact_id: int, registration_id: int | None) -> None:
    """Fill the empty fields of a contact with those of the registration."""
    columns = (Registration.c[name] for name in (*TEXT_FIELDS, "newsletter", "groups", "referral", "ip"))
    registered = connection.execute(select(*columns).where(Registration.c.id == registration_id)).one()._asdict()
    ip, groups = registered.pop("ip"), registered.pop("groups")
    details = ContactDetails(**registered, groups=tuple(groups))
    fill_empty_fields(connection, organisation_id, contact_id, details, ip=ip)
