"""Confirming a registration by the link that was mailed: the mailbox is proven, the account begins."""

import hmac
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, or_, select, update

from portal.domain import accounts, contacts, identities, links
from portal.domain.context import Context, Visitor
from portal.domain.errors import N_, Failure, Refused
from portal.domain.events import EventKind, record, refusals_recorded
from portal.domain.guards import count_or_refuse, given_back_unless_done, password_guards
from portal.domain.links import OpenLink
from portal.domain.models import Contact, Link, Registration
from portal.domain.tokens import Purpose
from portal.domain.waiting import end_waiting

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
    password_hash: str = field(repr=False)


def look_at_confirmation(context: Context, visitor: Visitor, token: str, *, registration: str | None) -> Confirmation:
    """What a link would confirm; `registration` is what this browser remembers of its own. Raises Refused."""
    return _of_link(context, links.look_at(context, visitor, Purpose.VERIFY, token), registration)


def look_at_confirmation_code(context: Context, visitor: Visitor, registration: str | None, code: str) -> Confirmation:
    """What a code would confirm in the browser that registered; counts the try. Raises Refused."""
    find = (
        select(Link.public_id)
        .join(Registration, Registration.id == Link.registration_id)
        .where(Registration.public_id == registration)
    )
    with context.database.read() as connection:
        public_ids = list(connection.execute(find).scalars())
    return _of_link(context, links.look_at_code(context, visitor, Purpose.VERIFY, public_ids, code), registration)


def _of_link(context: Context, link: OpenLink, registration: str | None) -> Confirmation:
    find = (
        select(Registration.public_id, Registration.password_hash, Contact.email_key)
        .join(Contact, Contact.id == Registration.contact_id)
        .where(Registration.id == link.registration_id, Registration.ended_at.is_(None))
    )
    with context.database.read() as connection:
        row = connection.execute(find).one_or_none()
    if row is None:
        raise Refused(Failure.LINK_ENDED)
    same_browser = registration is not None and hmac.compare_digest(row.public_id, registration)
    return Confirmation(link, link.email, row.email_key, not same_browser, row.password_hash)


def confirm(
    context: Context,
    visitor: Visitor,
    confirmation: Confirmation,
    password: str | None,
    *,
    kept: bool,
    replacing: str | None,
) -> str:
    """Confirm a registration and sign its customer in; returns the new identity, the one so far (`replacing`) ends.

    In another browser than the one that registered, `password` must be the one chosen there: who opens a mailed link
    has not thereby agreed to a password that a stranger may have chosen (pre-hijacking). Of any number of
    registrations of an address one is confirmed and the others end. Raises Refused.
    """
    if confirmation.needs_password:
        _check_password(context, visitor, confirmation, password or "")
    now = context.clock()
    refusals = refusals_recorded(context, visitor, EventKind.CONFIRM, confirmation.link.contact_id)
    with refusals, context.database.write() as connection:
        contact = contacts.lock(connection, confirmation.link.contact_id)
        links.consume(connection, confirmation.link, now)
        if contact is None or contact.banned_at or contact.password_hash:
            raise Refused(Failure.LINK_ENDED)
        accounts.set_password(connection, contact, confirmation.password_hash, now)
        _fill_empty_fields(connection, visitor, contact.id, confirmation.link.registration_id)
        contacts.prove_mailbox(connection, contact.id, now)
        end_waiting(connection, contact.id, now)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact.id, now=now)
        record(connection, visitor, EventKind.SIGN_IN, contact_id=contact.id, now=now)
        return identities.start(
            connection, context.rules, visitor, contact_id=contact.id, kept=kept, now=now, replacing=replacing
        )


def _check_password(context: Context, visitor: Visitor, confirmation: Confirmation, password: str) -> None:
    guards = password_guards(context, visitor, confirmation.email_key)
    count_or_refuse(context, visitor, guards, EventKind.CONFIRM, Failure.TOO_MANY_LOGINS)
    with given_back_unless_done(context, guards):
        fits = context.hasher.matching(password, [confirmation.password_hash])
    if fits:
        context.throttle.give_back(guards)
        return
    now = context.clock()
    with context.database.write() as connection:
        contact_id = confirmation.link.contact_id
        contacts.count_wrong_password(connection, contact_id)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact_id, now=now, refusal=Failure.WRONG_PASSWORD)
    raise Refused(Failure.WRONG_PASSWORD, detail=_WRONG_CHOSEN_PASSWORD, field="password")


def _fill_empty_fields(connection: Connection, visitor: Visitor, contact_id: int, registration_id: int | None) -> None:
    """Take over what was typed at registration where nothing was known before."""
    typed = connection.execute(
        select(
            Registration.email,
            Registration.first_name,
            Registration.last_name,
            Registration.phone,
            Registration.company_name,
            Registration.locale,
            Registration.newsletter,
            Registration.referral,
        ).where(Registration.id == registration_id)
    ).one()
    referrer = (
        select(Contact.id)
        .where(
            Contact.organisation_id == visitor.organisation_id,
            Contact.cu_ref_no == typed.referral,
            Contact.id != contact_id,
        )
        .scalar_subquery()
    )
    connection.execute(
        update(Contact)
        .where(Contact.id == contact_id)
        .values(
            # The first who registered the address may have been a stranger with another way to write it.
            email=case((Contact.confirmed_at.is_(None), typed.email), else_=Contact.email),
            first_name=func.coalesce(Contact.first_name, typed.first_name),
            last_name=func.coalesce(Contact.last_name, typed.last_name),
            phone=func.coalesce(Contact.phone, typed.phone),
            company_name=func.coalesce(Contact.company_name, typed.company_name),
            locale=func.coalesce(Contact.locale, typed.locale),
            newsletter=or_(Contact.newsletter, typed.newsletter),
            referred_by_id=func.coalesce(Contact.referred_by_id, referrer),
        )
    )
