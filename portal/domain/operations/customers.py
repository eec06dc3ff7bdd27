"""List, search, show and lock customers for an operator."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from portal.domain import contacts, identities
from portal.domain.contacts import ContactCredentials, is_ban_in_force, whole_name
from portal.domain.context import Rules
from portal.domain.outbox import MailState
from portal.domain.values.email import Address
from portal.domain.values.phone import searched_phone
from portal.storage.models import Account, Contact, Event, Identity, OutboxMail

LIST_LIMIT = 1000
"""Maximum number of rows in a list; an operator searches a longer one."""
RECENT_EVENTS = 10


class State(StrEnum):
    """The state of a customer."""

    GUEST = "guest"
    """Confirmed, without a password."""
    UNCONFIRMED = "unconfirmed"
    """Known only from a registration whose mailbox is not proven."""
    REGISTERED = "registered"
    BANNED = "banned"
    CLOSED = "closed"
    """By the customer: it can be kept until it is erased."""


@dataclass(frozen=True)
class CustomerReference:
    """A customer reference number: selects a customer without an address."""

    number: str

    def __str__(self) -> str:
        return self.number


CustomerSelector = Address | CustomerReference
"""How an operator selects one customer of an organisation."""


class UnknownCustomer(LookupError):
    """The organisation has no such customer. The message is one sentence for the operator."""

    def __init__(self, selector: CustomerSelector) -> None:
        kind = "address" if isinstance(selector, Address) else "reference number"
        super().__init__(f"There is no customer with the {kind} {selector}.")


@dataclass(frozen=True)
class CustomerRecord:
    """A customer as the operator sees it, without any secret."""

    id: int
    email: str | None
    name_as_given: str | None
    first_name: str | None
    last_name: str | None
    company_name: str | None
    phone: str | None
    cu_ref_no: str
    ip: str | None
    created_at: datetime
    confirmed_at: datetime | None
    registered_at: datetime | None
    banned_at: datetime | None
    banned_until: datetime | None
    ban_reason: str | None
    erase_at: datetime | None
    failed_passwords: int
    failed_codes: int

    @property
    def name(self) -> str:
        return whole_name(self.name_as_given, self.first_name, self.last_name)

    def state(self, now: datetime) -> State:
        """Return the state; a closed account comes before every other one, then a ban."""
        if self.erase_at is not None:
            return State.CLOSED
        if is_ban_in_force(self.banned_at, self.banned_until, now):
            return State.BANNED
        if self.registered_at is not None:
            return State.REGISTERED
        return State.UNCONFIRMED if self.confirmed_at is None else State.GUEST


class PastEvent(NamedTuple):
    """An event of a customer in the audit log."""

    occurred_at: datetime
    kind: str
    refusal: str | None
    reason: str | None
    """Why the operator did it."""
    ip: str | None
    user_agent: str | None


class LiveIdentity(NamedTuple):
    """One sign-in of a customer."""

    created_at: datetime
    seen_at: datetime
    channel: str
    remember: bool
    ip: str | None
    user_agent: str | None


_records = select(
    Contact.c.id,
    Contact.c.email,
    Contact.c.name.label("name_as_given"),
    Contact.c.first_name,
    Contact.c.last_name,
    Contact.c.company_name,
    Contact.c.phone,
    Contact.c.cu_ref_no,
    Contact.c.ip,
    Contact.c.created_at,
    Contact.c.confirmed_at,
    Account.c.created_at.label("registered_at"),
    Contact.c.banned_at,
    Contact.c.banned_until,
    Contact.c.ban_reason,
    Contact.c.erase_at,
    Contact.c.failed_passwords,
    Contact.c.failed_codes,
).outerjoin(Account, Account.c.contact_id == Contact.c.id)


def get_customer(connection: Connection, organisation_id: int, selector: CustomerSelector) -> CustomerRecord:
    """Return one customer of an organisation. Raises UnknownCustomer."""
    row = connection.execute(_records.where(_is(organisation_id, selector))).one_or_none()
    if row is None:
        raise UnknownCustomer(selector)
    return CustomerRecord(**row._asdict())


def _is(organisation_id: int, selector: CustomerSelector) -> ColumnElement[bool]:
    named = (
        Contact.c.email_key == selector.key if isinstance(selector, Address) else Contact.c.cu_ref_no == selector.number
    )
    return and_(Contact.c.organisation_id == organisation_id, named)


def list_customers(connection: Connection, organisation_id: int, search: str | None = None) -> list[CustomerRecord]:
    """List the customers of an organisation by address, at most LIST_LIMIT; those without an address come last.

    `search` is the phone number or a part of it, however it is written, or some words in any order: each a
    case-insensitive part of the address, a name, the company or the customer reference number.
    """
    statement = _records.where(Contact.c.organisation_id == organisation_id)
    if search:
        names = (Contact.c.name, Contact.c.first_name, Contact.c.last_name)
        columns = (Contact.c.email, *names, Contact.c.company_name, Contact.c.cu_ref_no)
        words = (or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in search.split())
        has_number = func.replace(Contact.c.phone, " ", "").contains(searched_phone(search), autoescape=True)
        statement = statement.where(or_(and_(*words), has_number))
    rows = connection.execute(statement.order_by(Contact.c.email_key.nulls_last(), Contact.c.id).limit(LIST_LIMIT))
    return [CustomerRecord(**row._asdict()) for row in rows]


def count_live_identities(connection: Connection, rules: Rules, contact_id: int, now: datetime) -> int:
    """Count the identities of a customer that are valid now."""
    statement = select(func.count()).where(Identity.c.contact_id == contact_id, identities.is_live(rules, now))
    return connection.execute(statement).scalar_one()


def list_live_identities(connection: Connection, rules: Rules, contact_id: int, now: datetime) -> list[LiveIdentity]:
    """The sign-ins of a customer that would be accepted now, at most LIST_LIMIT, those used last first."""
    rows = connection.execute(
        select(
            Identity.c.created_at,
            Identity.c.seen_at,
            Identity.c.channel,
            Identity.c.remember.label("remember"),
            Identity.c.ip,
            Identity.c.user_agent,
        )
        .where(Identity.c.contact_id == contact_id, identities.is_live(rules, now))
        .order_by(Identity.c.seen_at.desc(), Identity.c.id.desc())
        .limit(LIST_LIMIT)
    )
    return [LiveIdentity(**row._asdict()) for row in rows]


def recent_events(connection: Connection, contact_id: int, limit: int = RECENT_EVENTS) -> list[PastEvent]:
    """Return the last events of a customer, the newest first."""
    rows = connection.execute(
        select(Event.c.occurred_at, Event.c.kind, Event.c.refusal, Event.c.reason, Event.c.ip, Event.c.user_agent)
        .where(Event.c.contact_id == contact_id)
        .order_by(Event.c.occurred_at.desc(), Event.c.id.desc())
        .limit(limit)
    )
    return [PastEvent(**row._asdict()) for row in rows]


def last_mail_failure(connection: Connection, contact_id: int) -> str | None:
    """Return why the last email to a customer was not delivered (a dead address, for one); None if it was sent.

    The reason says whether the mail server rejected it or the portal gave up.
    """
    last = connection.execute(
        select(OutboxMail.c.state, OutboxMail.c.reason)
        .where(OutboxMail.c.contact_id == contact_id, OutboxMail.c.state.in_((MailState.SENT, MailState.DEAD)))
        .order_by(OutboxMail.c.id.desc())
        .limit(1)
    ).one_or_none()
    return last.reason if last is not None and last.state == MailState.DEAD else None


def lock_credentials(connection: Connection, organisation_id: int, selector: CustomerSelector) -> ContactCredentials:
    """Lock a customer as `lock_customer` does, and return the contact, closed or not. Raises UnknownCustomer."""
    contact_id = lock_customer(connection, organisation_id, selector)
    contact = contacts.lock_even_closed(connection, contact_id)
    if contact is None:
        raise UnknownCustomer(selector)
    return contact


def lock_customer(connection: Connection, organisation_id: int, selector: CustomerSelector) -> int:
    """Lock a customer until the end of the transaction, as every change of credentials does; return the id.

    Raises UnknownCustomer.
    """
    contact_id = connection.execute(
        select(Contact.c.id).where(_is(organisation_id, selector)).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if contact_id is None:
        raise UnknownCustomer(selector)
    return contact_id
