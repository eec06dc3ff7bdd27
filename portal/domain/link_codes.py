"""The codes of one-time links: six digits in the same email, typed in the browser that requested it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, select, update

from portal.domain import lockout
from portal.domain.audit_log import record, refusals_recorded
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.domain.one_time_links import REDEMPTIONS, OpenLink, check_open, lock_links
from portal.domain.tokens import Purpose
from portal.domain.values.text import without_separators
from portal.storage.database import retried
from portal.storage.models import Contact, Link

MAX_CODE_ATTEMPTS = 5


@retried
def get_open_link_by_code(
    context: Context, visitor: Visitor, purpose: Purpose, public_ids: Sequence[str], code: str
) -> OpenLink:
    """Return the link with a code, out of the links that this browser requested.

    Raises Refused: WRONG_CODE, CODE_ENDED, or for the right code of a registration ALREADY_CONFIRMED or
    REGISTRATION_DROPPED.

    An attempt is counted before the check, on each of the links: after MAX_CODE_ATTEMPTS the code is dead, while its
    link stays valid. It is also counted once on each contact: after LOCKING_FAILURES consecutive wrong codes even the
    right one is refused as wrong, until a link proves the mailbox. Refusals are recorded as events; for a dead code
    only the first attempt is, so that a flood of attempts is not a flood of rows. Decoys behave in the same way, and so
    do links of another purpose, which have no such code (a registration for a closed account has one that keeps it).
    """
    now = context.clock()
    digits = without_separators(code)
    with context.database.write() as connection:
        # Contacts before links, the lock order of every proof of a mailbox, to prevent deadlocks.
        owner_ids = _lock_owners(connection, visitor, public_ids)
        counted = _count_code_attempt(connection, public_ids)
        usable = [row for row in counted if row.code_tries <= MAX_CODE_ATTEMPTS and row.expires_at > now]
        allowed = lockout.count_mailed_code(connection, owner_ids.intersection(row.contact_id for row in usable))
        matching = [row for row in usable if context.signer.is_code(purpose, row.public_id, digits)]
        matching = [row for row in matching if row.contact_id in allowed]
        ended = all(row.code_tries >= MAX_CODE_ATTEMPTS for row in usable)
        failure = Failure.CODE_ENDED if ended else Failure.WRONG_CODE
        affected = owner_ids.intersection(row.contact_id for row in matching or counted)
        contact_id = affected.pop() if len(affected) == 1 else None
        if counted and not matching:
            record(connection, visitor, REDEMPTIONS[purpose], contact_id=contact_id, now=now, refusal=failure)
    if not matching:
        raise Refused(failure, field="code")
    try:
        with refusals_recorded(context, visitor, REDEMPTIONS[purpose], contact_id):
            return check_open(context, visitor, purpose, matching[0].public_id)
    except Refused as refusal:
        if refusal.failure in (Failure.ALREADY_CONFIRMED, Failure.REGISTRATION_DROPPED):
            raise
        raise Refused(Failure.CODE_ENDED, field="code") from None


def _lock_owners(connection: Connection, visitor: Visitor, public_ids: Sequence[str]) -> set[int]:
    """Lock the contacts of the visitor's organisation that the links belong to; return their ids."""
    rows = (
        select(Contact.c.id)
        .join(Link, Link.c.contact_id == Contact.c.id)
        .where(Link.c.public_id.in_(public_ids))
        .where(Contact.c.organisation_id == visitor.organisation_id)
        .order_by(Contact.c.id)
        .with_for_update(of=Contact, key_share=True)
    )
    return set(connection.scalars(rows))


def _count_code_attempt(
    connection: Connection, public_ids: Sequence[str]
) -> Sequence[Row[str, int | None, int, datetime]]:
    """Count an attempt on the code of each link; return the links whose code was not dead before."""
    found = lock_links(connection, Link.c.public_id.in_(public_ids))
    return connection.execute(
        update(Link)
        .where(Link.c.id.in_(found), Link.c.code_tries <= MAX_CODE_ATTEMPTS)
        .values(code_tries=Link.c.code_tries + 1)
        .returning(Link.c.public_id, Link.c.contact_id, Link.c.code_tries, Link.c.expires_at)
    ).all()
