"""Begin a sign-in whose first step was right: at once, or after the second step where one is asked for.

Every way to sign in calls `begin`, so that none skips the second step: password, passkey, emailed link and code, reset,
and the confirmation of a registration. Until the second step is done there is no identity: the browser has a secret of
the pending sign-in, which can do nothing else.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select

from portal.domain import identities, trusted_browsers
from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials, is_ban_in_force
from portal.domain.context import Context, Visitor
from portal.domain.identities import NewIdentity
from portal.domain.notices import notify_of_sign_in
from portal.domain.organisations import TwoStepRule
from portal.domain.tokens import digest_of, random_id
from portal.storage.models import Contact, Organisation, SecondStep
from portal.storage.models import PendingSignIn as PendingSignInRow

PENDING_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True)
class PendingSignIn:
    """A sign-in that waits for its second step."""

    value: str = field(repr=False)
    """The value that the browser sends back. A secret."""
    must_set_up: bool
    """Whether the customer has no second step yet, and the organisation requires one."""


SignIn = str | PendingSignIn
"""The new identity, or what waits for the second step."""


@dataclass(frozen=True)
class FirstStep:
    """The first step of a sign-in, which was right."""

    contact: ContactCredentials
    """Locked."""
    kind: EventKind
    """The event that the sign-in is recorded as."""
    identity: NewIdentity
    is_notified: bool = False
    """Whether another notice tells the customer of the sign-in."""


@dataclass(frozen=True)
class OpenSignIn:
    """A pending sign-in that can be finished now."""

    id: int
    contact_id: int
    email: str | None
    remember: bool
    kind: EventKind
    must_set_up: bool


class SignInEnded(Exception):
    """A pending sign-in took too long, was finished or withdrawn: the customer must sign in again."""


_needs = (
    select(SecondStep.c.contact_id.label("is_on"), Organisation.c.require_two_step)
    .select_from(Organisation)
    .outerjoin(SecondStep, SecondStep.c.contact_id == bindparam("contact_id"))
    .where(Organisation.c.id == bindparam("organisation_id"))
)
_find = (
    select(
        PendingSignInRow.c.id,
        PendingSignInRow.c.contact_id,
        Contact.c.email,
        Contact.c.banned_at,
        Contact.c.banned_until,
        PendingSignInRow.c.remember,
        PendingSignInRow.c.kind,
        SecondStep.c.contact_id.label("is_on"),
        Organisation.c.require_two_step,
    )
    .join(Contact, Contact.c.id == PendingSignInRow.c.contact_id)
    .join(Organisation, Organisation.c.id == Contact.c.organisation_id)
    .outerjoin(SecondStep, SecondStep.c.contact_id == Contact.c.id)
    .where(PendingSignInRow.c.digest == bindparam("digest"), PendingSignInRow.c.expires_at > bindparam("now"))
    .where(Contact.c.organisation_id == bindparam("organisation_id"))
    .where(Contact.c.erase_at.is_(None))
)

_delete_pending = delete(PendingSignInRow).where(PendingSignInRow.c.contact_id == bindparam("of_contact"))


def begin(connection: Connection, context: Context, visitor: Visitor, first: FirstStep, now: datetime) -> SignIn:
    """Start an identity, record the event and queue the notice of a new device; or ask for the second step first.

    The second step is asked of a customer who has one, except in a browser that they trust, and of every customer of an
    organisation that requires it; but not after a passkey, which is both steps, if its user was verified.
    """
    if first.identity.second_step_at is None and (pending := _begin_second_step(connection, visitor, first, now)):
        return pending
    record(connection, visitor, first.kind, contact_id=first.contact.id, now=now)
    if not first.is_notified:
        notify_of_sign_in(connection, context, visitor, first.contact, now)
    return identities.start(connection, context.rules, visitor, first.identity, now)


def _begin_second_step(
    connection: Connection, visitor: Visitor, first: FirstStep, now: datetime
) -> PendingSignIn | None:
    """Store a sign-in that waits for its second step; return None if none is needed."""
    contact_id = first.contact.id
    parameters = {"contact_id": contact_id, "organisation_id": visitor.organisation_id}
    needs = connection.execute(_needs, parameters).one()
    must_set_up = needs.is_on is None and needs.require_two_step == TwoStepRule.REQUIRED
    is_asked = needs.is_on is not None and not trusted_browsers.is_trusted(connection, visitor, contact_id, now)
    if must_set_up or is_asked:
        record(connection, visitor, EventKind.SECOND_STEP_ASKED, contact_id=contact_id, now=now)
        return PendingSignIn(_store(connection, first.identity, first.kind, now), must_set_up)
    return None


def _store(connection: Connection, new: NewIdentity, kind: EventKind, now: datetime) -> str:
    value = random_id()
    connection.execute(
        insert(PendingSignInRow),
        {
            "contact_id": new.contact_id,
            "digest": digest_of(value),
            "remember": new.remember,
            "kind": kind,
            "created_at": now,
            "expires_at": now + PENDING_LIFETIME,
        },
    )
    return value


def find(context: Context, visitor: Visitor, value: str) -> OpenSignIn:
    """Return a pending sign-in. Raises SignInEnded, also if the customer needs no second step any more."""
    now = context.clock()
    parameters = {"digest": digest_of(value), "now": now, "organisation_id": visitor.organisation_id}
    with context.database.read() as connection:
        row = connection.execute(_find, parameters).one_or_none()
    if row is None or is_ban_in_force(row.banned_at, row.banned_until, now):
        raise SignInEnded
    if row.is_on is None and row.require_two_step != TwoStepRule.REQUIRED:
        raise SignInEnded
    return OpenSignIn(row.id, row.contact_id, row.email, row.remember, EventKind(row.kind), row.is_on is None)


def finish(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    pending: OpenSignIn,
    replacing: str | None,
) -> str:
    """Start the identity of a pending sign-in whose second step is done; it ends the one it is `replacing`.

    Of any number of parallel calls one succeeds; the others raise SignInEnded. The caller has locked the contact's row.
    """
    claimed = delete(PendingSignInRow).where(PendingSignInRow.c.id == pending.id).returning(PendingSignInRow.c.id)
    if connection.execute(claimed).one_or_none() is None:
        raise SignInEnded
    now = context.clock()
    record(connection, visitor, pending.kind, contact_id=contact.id, now=now)
    notify_of_sign_in(connection, context, visitor, contact, now)
    new = NewIdentity(pending.contact_id, pending.remember, replacing, is_proof=True, second_step_at=now)
    return identities.start(connection, context.rules, visitor, new, now)


def end_pending(connection: Connection, contact_id: int) -> None:
    """Delete all pending sign-ins of a customer."""
    connection.execute(_delete_pending, {"of_contact": contact_id})
