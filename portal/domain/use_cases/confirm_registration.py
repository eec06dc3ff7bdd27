"""Confirming a registration by the link that was mailed: the mailbox is proven, the account begins."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select

from portal.domain import accounts, devices, identities, one_time_links, pending_registrations
from portal.domain.audit_log import EventKind, record
from portal.domain.contact_details import TEXT_FIELDS, ContactDetails, fill_empty_fields
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.mailbox_proof import RedeemedLink, redeem
from portal.domain.messages import N_
from portal.domain.one_time_links import OpenLink
from portal.domain.rate_limits import attempt, password_limits
from portal.domain.tokens import Purpose
from portal.storage.database import retried
from portal.storage.models import Contact, Link, Registration

_WRONG_CHOSEN_PASSWORD = N_(
    "This is not the password that was chosen at registration. Try again, or set a new password by mail."
)


@dataclass(frozen=True)
class Confirmation:
    """A registration that could be confirmed now."""

    link: OpenLink
    email: str
    email_key: str
    needs_password: bool
    """Whether the chosen password must be typed, because this is not the browser that registered."""
    written_email: str
    """The address as it was typed at registration."""
    return_url: str | None
    """Where the customer wants to go on, as it was allowed when they registered: to be checked again."""
    password_hash: str = field(repr=False)


_typed = select(
    *(getattr(Registration, name) for name in (*TEXT_FIELDS, "newsletter", "groups", "referral", "ip"))
).where(Registration.id == bindparam("registration_id"))


def get_confirmation(context: Context, visitor: Visitor, token: str, *, registration: str | None) -> Confirmation:
    """What a link would confirm; `registration` is what this browser remembers of its own. Raises Refused."""
    return _of_link(context, one_time_links.get_open_link(context, visitor, Purpose.VERIFY, token), registration)


def get_confirmation_by_code(context: Context, visitor: Visitor, registration: str | None, code: str) -> Confirmation:
    """What a code would confirm in the browser that registered; counts the try. Raises Refused."""
    find = (
        select(Link.public_id)
        .join(Registration, Registration.id == Link.registration_id)
        .where(Registration.public_id == registration)
    )
    with context.database.read() as connection:
        public_ids = list(connection.execute(find).scalars())
    return _of_link(
        context, one_time_links.get_open_link_by_code(context, visitor, Purpose.VERIFY, public_ids, code), registration
    )


def _of_link(context: Context, link: OpenLink, registration: str | None) -> Confirmation:
    find = (
        select(
            Registration.public_id,
            Registration.password_hash,
            Registration.return_url,
            Registration.email.label("written_email"),
            Contact.email_key,
        )
        .join(Contact, Contact.id == Registration.contact_id)
        .where(
            Registration.id == link.registration_id,
            Registration.ended_at.is_(None),
            Registration.is_decoy.is_(False),
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
) -> str:
    """Confirm a registration and sign its customer in; returns the new identity, the one so far (`replacing`) ends.

    In another browser than the one that registered, `password` must be the one chosen there: who opens a mailed link
    has not thereby agreed to a password that a stranger may have chosen (pre-hijacking). Of any number of
    registrations of an address one is confirmed and the others end. Raises Refused.
    """
    if confirmation.needs_password:
        _check_password(context, visitor, confirmation, password or "")
    with create_account(context, visitor, confirmation) as created:
        connection, contact_id, now = created.connection, created.contact.id, created.now
        record(connection, visitor, EventKind.SIGN_IN, contact_id=contact_id, now=now)
        return identities.start(
            connection,
            context.rules,
            visitor,
            contact_id=contact_id,
            remember=remember,
            now=now,
            replacing=replacing,
            is_proof=True,
        )


@contextmanager
def create_account(context: Context, visitor: Visitor, confirmation: Confirmation) -> Iterator[RedeemedLink]:
    """Make an account of a registration, in one transaction with what the block does. Raises Refused."""
    link = confirmation.link
    with redeem(context, visitor, link, written_email=confirmation.written_email) as redeemed:
        connection, contact = redeemed.connection, redeemed.contact
        if contact.password_hash:
            raise Refused(Failure.LINK_ENDED)
        accounts.set_password(connection, contact, confirmation.password_hash, redeemed.now)
        _take_over(connection, visitor.organisation_id, contact.id, link.registration_id)
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
        devices.count_wrong_password(connection, device, contact_id)
        pending_registrations.count_wrong_password(connection, contact_id)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact_id, now=now, refusal=Failure.WRONG_PASSWORD)
    raise Refused(Failure.WRONG_PASSWORD, detail=_WRONG_CHOSEN_PASSWORD, field="password")


def _take_over(connection: Connection, organisation_id: int, contact_id: int, registration_id: int | None) -> None:
    """Fill the fields of a contact that are empty with what was typed at registration."""
    typed = connection.execute(_typed, {"registration_id": registration_id}).one()._asdict()
    ip, groups = typed.pop("ip"), typed.pop("groups")
    fill_empty_fields(connection, organisation_id, contact_id, ContactDetails(**typed, groups=tuple(groups)), ip=ip)
