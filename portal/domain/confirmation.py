"""Confirming a registration by the link that was mailed: the mailbox is proven, the account begins."""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from portal.domain import accounts, contacts, devices, identities, links, waiting
from portal.domain.contacts import Known
from portal.domain.context import Context, Visitor
from portal.domain.database import retried
from portal.domain.details import TEXTS, Details, fill_empty
from portal.domain.errors import N_, Failure, Refused
from portal.domain.events import EventKind, record, refusals_recorded
from portal.domain.guards import count_or_refuse, given_back_unless_done, password_guards
from portal.domain.links import OpenLink
from portal.domain.mailbox_proof import record_mailbox_proof
from portal.domain.models import Contact, Link, Registration
from portal.domain.tokens import Purpose

_WRONG_CHOSEN_PASSWORD = N_("This isn't the password you chose when registering. Try again, or set a new password.")


@dataclass(frozen=True)
class Confirmation:
    """A registration that could be confirmed now."""

    link: OpenLink
    email: str
    email_key: str
    needs_password: bool
    """Whether the chosen password must be typed, because this is not the browser that registered."""
    return_url: str | None
    """Where the customer wants to go on, as it was allowed when they registered: to be checked again."""
    password_hash: str = field(repr=False)


_typed = select(
    *(getattr(Registration, name) for name in (*TEXTS, "newsletter", "groups", "referral", "email", "ip"))
).where(Registration.id == bindparam("registration_id"))


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
        select(Registration.public_id, Registration.password_hash, Registration.return_url, Contact.email_key)
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
    return Confirmation(link, link.email, row.email_key, not same_browser, row.return_url, row.password_hash)


@retried
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
    with begin_account(context, visitor, confirmation) as begun:
        record(begun.connection, visitor, EventKind.SIGN_IN, contact_id=begun.contact_id, now=begun.now)
        return identities.start(
            begun.connection,
            context.rules,
            visitor,
            contact_id=begun.contact_id,
            kept=kept,
            now=begun.now,
            replacing=replacing,
        )


@dataclass(frozen=True)
class Begun:
    """An account that has just begun, in a transaction that is still open."""

    connection: Connection
    contact_id: int
    now: datetime


@contextmanager
def begin_account(context: Context, visitor: Visitor, confirmation: Confirmation) -> Iterator[Begun]:
    """Make an account of a registration, in one transaction with what the block does. Raises Refused."""
    now, link = context.clock(), confirmation.link
    refusals = refusals_recorded(context, visitor, EventKind.CONFIRM, link.contact_id)
    with refusals, context.database.write() as connection:
        contact = contacts.lock(connection, link.contact_id)
        links.consume(connection, link, now)
        if contact is None or contact.banned_at or contact.password_hash:
            raise Refused(Failure.LINK_ENDED)
        accounts.set_password(connection, contact, confirmation.password_hash, now)
        _take_over(connection, visitor.organisation_id, contact, link.registration_id, now)
        record_mailbox_proof(connection, contact, now)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact.id, now=now)
        yield Begun(connection, contact.id, now)


def _check_password(context: Context, visitor: Visitor, confirmation: Confirmation, password: str) -> None:
    device = devices.find(context, visitor, confirmation.email_key)
    guards = password_guards(context, visitor, confirmation.email_key, device)
    count_or_refuse(context, visitor, guards, EventKind.CONFIRM, Failure.TOO_MANY_LOGINS)
    with given_back_unless_done(context, guards):
        fits = context.hasher.matching(password, [confirmation.password_hash])
    if fits:
        context.throttle.give_back(guards)
        return
    now = context.clock()
    with context.database.write() as connection:
        contact_id = confirmation.link.contact_id
        devices.count_wrong_password(connection, device, contact_id)
        waiting.count_wrong_password(connection, contact_id)
        record(connection, visitor, EventKind.CONFIRM, contact_id=contact_id, now=now, refusal=Failure.WRONG_PASSWORD)
    raise Refused(Failure.WRONG_PASSWORD, detail=_WRONG_CHOSEN_PASSWORD, field="password")


def _take_over(
    connection: Connection, organisation_id: int, contact: Known, registration_id: int | None, now: datetime
) -> None:
    """What was typed at registration counts now, where nothing was known before."""
    typed = connection.execute(_typed, {"registration_id": registration_id}).one()._asdict()
    email, ip, groups = typed.pop("email"), typed.pop("ip"), typed.pop("groups")
    contacts.confirm(connection, contact.id, email, now)
    fill_empty(connection, organisation_id, contact.id, Details(**typed, groups=tuple(groups)), ip=ip)
