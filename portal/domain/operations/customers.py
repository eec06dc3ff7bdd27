"""Customers as an operator sees them: listed, looked at, locked for a change."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from portal.domain import identities
from portal.domain.contacts import whole_name
from portal.domain.context import Rules
from portal.domain.outbox import MailState
from portal.domain.values.email import Address
from portal.storage.models import Account, Contact, Event, Identity, OutboxMail

LIST_LIMIT = 1000
"""More rows than anybody reads; a longer list is searched."""
RECENT_EVENTS = 10


class State(StrEnum):
    """How far an organisation knows a customer."""

    GUEST = "guest"
    """Known by address, without a password."""
    UNCONFIRMED = "unconfirmed"
    """Known only from a registration that waits for its mailbox to be proven."""
    REGISTERED = "registered"
    BANNED = "banned"


@dataclass(frozen=True)
class CustomerReference:
    """A customer reference number: the way to name a customer who has no address."""

    number: str

    def __str__(self) -> str:
        return self.number


CustomerSelector = Address | CustomerReference
"""How an operator names one customer of an organisation."""


class UnknownCustomer(LookupError):
    """The organisation knows nobody by this name; the message is one sentence for the operator."""

    def __init__(self, whom: CustomerSelector) -> None:
        kind = "address" if isinstance(whom, Address) else "reference number"
        super().__init__(f"There is no customer with the {kind} {whom}.")


@dataclass(frozen=True)
class CustomerRecord:
    """One customer. Nothing in it opens an account."""

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
    ban_reason: str | None
    failed_passwords: int
    failed_codes: int

    @property
    def name(self) -> str:
        """What they are called."""
        return whole_name(self.name_as_given, self.first_name, self.last_name)

    @property
    def state(self) -> State:
        """A ban hides what was before it."""
        if self.banned_at is not None:
            return State.BANNED
        if self.registered_at is not None:
            return State.REGISTERED
        return State.UNCONFIRMED if self.confirmed_at is None else State.GUEST


class PastEvent(NamedTuple):
    """One line of what happened to a customer."""

    occurred_at: datetime
    kind: str
    refusal: str | None
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
    Contact.id,
    Contact.email,
    Contact.name.label("name_as_given"),
    Contact.first_name,
    Contact.last_name,
    Contact.company_name,
    Contact.phone,
    Contact.cu_ref_no,
    Contact.ip,
    Contact.created_at,
    Contact.confirmed_at,
    Account.created_at.label("registered_at"),
    Contact.banned_at,
    Contact.ban_reason,
    Contact.failed_passwords,
    Contact.failed_codes,
).outerjoin(Account, Account.contact_id == Contact.id)


def get_customer(connection: Connection, organisation_id: int, whom: CustomerSelector) -> CustomerRecord:
    """One customer of an organisation. Raises UnknownCustomer."""
    row = connection.execute(_records.where(_is(organisation_id, whom))).one_or_none()
    if row is None:
        raise UnknownCustomer(whom)
    return CustomerRecord(**row._asdict())


def _is(organisation_id: int, whom: CustomerSelector) -> ColumnElement[bool]:
    named = Contact.email_key == whom.key if isinstance(whom, Address) else Contact.cu_ref_no == whom.number
    return and_(Contact.organisation_id == organisation_id, named)


def list_customers(connection: Connection, organisation_id: int, search: str | None = None) -> list[CustomerRecord]:
    """The customers of an organisation by address, at most LIST_LIMIT; those without one come last.

    `search` is a part, in any case, of the address, a name, the company or the customer reference number, or of the
    phone number, with spaces or without.
    """
    statement = _records.where(Contact.organisation_id == organisation_id)
    if search:
        names = (Contact.name, Contact.first_name, Contact.last_name)
        places = (Contact.email, *names, Contact.company_name, Contact.cu_ref_no)
        found = [place.icontains(search, autoescape=True) for place in places]
        if dialled := search.replace(" ", ""):
            found.append(func.replace(Contact.phone, " ", "").contains(dialled, autoescape=True))
        statement = statement.where(or_(*found))
    rows = connection.execute(statement.order_by(Contact.email_key.nulls_last(), Contact.id).limit(LIST_LIMIT))
    return [CustomerRecord(**row._asdict()) for row in rows]


def count_live_identities(connection: Connection, rules: Rules, contact_id: int, now: datetime) -> int:
    """How many sign-ins of a customer would be accepted now."""
    statement = select(func.count()).where(Identity.contact_id == contact_id, identities.is_live(rules, now))
    return connection.execute(statement).scalar_one()


def list_live_identities(connection: Connection, rules: Rules, contact_id: int, now: datetime) -> list[LiveIdentity]:
    """The sign-ins of a customer that would be accepted now, at most LIST_LIMIT, those used last first."""
    rows = connection.execute(
        select(
            Identity.created_at,
            Identity.seen_at,
            Identity.channel,
            Identity.remember.label("remember"),
            Identity.ip,
            Identity.user_agent,
        )
        .where(Identity.contact_id == contact_id, identities.is_live(rules, now))
        .order_by(Identity.seen_at.desc(), Identity.id.desc())
        .limit(LIST_LIMIT)
    )
    return [LiveIdentity(**row._asdict()) for row in rows]


def recent_events(connection: Connection, contact_id: int, limit: int = RECENT_EVENTS) -> list[PastEvent]:
    """The last events of a customer, the newest first."""
    rows = connection.execute(
        select(Event.occurred_at, Event.kind, Event.refusal, Event.ip, Event.user_agent)
        .where(Event.contact_id == contact_id)
        .order_by(Event.occurred_at.desc(), Event.id.desc())
        .limit(limit)
    )
    return [PastEvent(**row._asdict()) for row in rows]


def last_mail_set_aside(connection: Connection, contact_id: int) -> str | None:
    """Why the last mail to a customer was set aside; None when it was taken. Who has a dead address shows by it.

    Whether the mail server refused it, or it was given up for something of our own, is in the reason.
    """
    last = connection.execute(
        select(OutboxMail.state, OutboxMail.reason)
        .where(OutboxMail.contact_id == contact_id, OutboxMail.state.in_((MailState.SENT, MailState.DEAD)))
        .order_by(OutboxMail.id.desc())
        .limit(1)
    ).one_or_none()
    return last.reason if last is not None and last.state == MailState.DEAD else None


def lock_customer(connection: Connection, organisation_id: int, whom: CustomerSelector) -> int:
    """The customer's id; the row is held until the transaction ends, as by everything that changes credentials.

    Raises UnknownCustomer.
    """
    contact_id = connection.execute(
        select(Contact.id).where(_is(organisation_id, whom)).with_for_update(key_share=True)
    ).scalar_one_or_none()
    if contact_id is None:
        raise UnknownCustomer(whom)
    return contact_id
