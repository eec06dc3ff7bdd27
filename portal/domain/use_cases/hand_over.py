"""Hand an identity over to a shop's server, so that a customer who signs in on the shop's page is signed in there too.

The browser carries a code that is valid once, for a minute, with the shop's API key and the nonce of the shop's page.
So a code that leaks from a URL or a message is worthless, and an attacker cannot inject their own into another
browser (RFC 9700, 4.5 and 4.7).
"""

import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, exists, func, insert, literal, select, update

from portal.domain import contacts, identities
from portal.domain.audit_log import EventKind, record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.identities import Customer, NewIdentity
from portal.domain.rate_limits import handover_limits
from portal.domain.tokens import digest_of, random_id
from portal.storage.database import retried
from portal.storage.models import Contact, Event, Handover, Identity

LIFETIME = timedelta(seconds=60)
_NONCE = re.compile(r"[A-Za-z0-9_-]{22,128}", re.ASCII)


def is_nonce(text: str) -> bool:
    """Return whether a text has the format of a nonce; 128 random bits in base64url have 22 characters."""
    return _NONCE.fullmatch(text) is not None


def hand_over(context: Context, customer: Customer, nonce: str) -> str:
    """Create a code for the identity of a signed-in customer; `nonce` comes from the requesting page.

    Raises RateLimitExceeded, and ValueError for an invalid nonce.
    """
    _require_nonce(nonce)
    with context.rate_limiter.attempt(handover_limits(customer.id)):
        return _create_code(context, customer, nonce)


def hand_over_once(context: Context, customer: Customer, nonce: str) -> str | None:
    """Create a code, or return None if there was one for this identity and nonce (as when a page is loaded again).

    Earlier codes are stored for a day (retention), and a repetition is not counted. Two parallel requests may both get
    a valid code. Raises what `hand_over` does.
    """
    _require_nonce(nonce)
    with context.rate_limiter.attempt(handover_limits(customer.id)) as counted:
        code = _create_code_once(context, customer, nonce)
        if code is None:
            counted.give_back()
    return code


def _require_nonce(nonce: str) -> None:
    if not is_nonce(nonce):
        raise ValueError("a hand-over code needs a nonce")


@retried
def _create_code(context: Context, customer: Customer, nonce: str) -> str:
    code = random_id()
    with context.database.write() as connection:
        connection.execute(
            insert(Handover),
            {
                "identity_id": customer.identity_id,
                "digest": digest_of(code),
                "nonce": nonce,
                "expires_at": context.clock() + LIFETIME,
            },
        )
    return code


@retried
def _create_code_once(context: Context, customer: Customer, nonce: str) -> str | None:
    code = random_id()
    values: dict[Column[Any], object] = {
        Handover.c.identity_id: customer.identity_id,
        Handover.c.digest: digest_of(code),
        Handover.c.nonce: nonce,
        Handover.c.expires_at: context.clock() + LIFETIME,
    }
    is_repeated = exists().where(Handover.c.identity_id == customer.identity_id, Handover.c.nonce == nonce)
    row = select(*(literal(value, column.type) for column, value in values.items())).where(~is_repeated)
    statement = insert(Handover).from_select([column.key for column in values], row).returning(Handover.c.id)
    with context.database.write() as connection:
        is_first = connection.execute(statement).one_or_none() is not None
    return code if is_first else None


@retried
def redeem(context: Context, visitor: Visitor, code: str, nonce: str) -> str:
    """Exchange a code and its nonce for a new identity of the same session family: both end together.

    It has the same lifetime as the customer's own. Of any number of parallel uses one succeeds. Raises
    Refused(NO_SUCH_HANDOVER) for a code that is unknown, used, of another organisation or nonce, or whose identity has
    ended, and Refused(HANDOVER_EXPIRED) for a code older than a minute.
    """
    now = context.clock()
    unused = (
        select(
            Handover.c.id,
            Handover.c.identity_id,
            Handover.c.nonce,
            Handover.c.expires_at,
            Identity.c.contact_id,
            Identity.c.remember.label("remember"),  # the column has another name
        )
        .join(Identity, Identity.c.id == Handover.c.identity_id)
        .join(Contact, Contact.c.id == Identity.c.contact_id)
        .where(
            Handover.c.digest == digest_of(code),
            Handover.c.used_at.is_(None),
            Identity.c.ended_at.is_(None),
            Contact.c.organisation_id == visitor.organisation_id,
        )
    )
    with refusals_recorded(context, visitor, EventKind.HANDOVER, None), context.database.write() as connection:
        row = connection.execute(unused).one_or_none()
        if row is None or not is_nonce(nonce) or row.nonce != nonce:  # codes of old versions may have no nonce
            raise Refused(Failure.NO_SUCH_HANDOVER)
        if now >= row.expires_at:
            raise Refused(Failure.HANDOVER_EXPIRED)
        contact = contacts.lock(connection, row.contact_id)
        family = _use_code(connection, row.id, row.identity_id, now)
        if contact is None or contact.is_banned(now) or family is None:
            raise Refused(Failure.NO_SUCH_HANDOVER)
        record(connection, visitor, EventKind.HANDOVER, contact_id=contact.id, now=now)
        new = NewIdentity(contact.id, row.remember, family=family)
        return identities.start(connection, context.rules, visitor, new, now)


def list_redeeming(connection: Connection) -> set[int]:
    """Return the ids of the organisations whose servers have redeemed a code, as far back as events are stored."""
    return set(connection.scalars(select(Event.c.organisation_id).where(Event.c.kind == EventKind.HANDOVER).distinct()))


def _use_code(connection: Connection, handover_id: int, identity_id: int, now: datetime) -> str | None:
    """Mark a code as used and return the family of its identity; None if it was used or the identity has ended."""
    used = update(Handover).where(Handover.c.id == handover_id, Handover.c.used_at.is_(None)).values(used_at=now)
    if connection.execute(used.returning(Handover.c.id)).one_or_none() is None:
        return None
    joined = (
        update(Identity)
        .where(Identity.c.id == identity_id, Identity.c.ended_at.is_(None))
        .values(family=func.coalesce(Identity.c.family, random_id()))
        .returning(Identity.c.family)
    )
    family: str | None = connection.execute(joined).scalar_one_or_none()
    return family
