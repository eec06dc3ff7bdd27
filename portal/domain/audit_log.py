"""The audit log: one row for each sign-in, refusal and change of an account.

A row says who (an id), what, when and from which address. It never contains a typed email address, password or token.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from functools import partial

from sqlalchemy import Connection, bindparam, insert, select

from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure, Refused
from portal.storage.database import after_commit
from portal.storage.models import Contact, Event

_log = logging.getLogger("portal.events")
# NULL if the contact was deleted meanwhile; else the row is locked, so that it exists until the event is stored.
_contact_id = (
    select(Contact.c.id).where(Contact.c.id == bindparam("of_contact")).with_for_update(read=True, key_share=True)
)
_insert = insert(Event).values(contact_id=_contact_id.scalar_subquery())


class EventKind(StrEnum):
    """The kind of an event. The values are stored."""

    SIGN_IN = "sign_in"
    SIGN_IN_REQUEST = "sign_in_request"
    SIGN_IN_BY_EMAIL = "sign_in_by_mail"
    SIGN_IN_BY_PASSKEY = "sign_in_by_passkey"
    MAGIC_AUTH = "sign_in_vouched"
    """A shop's server vouched for the mailbox (the API's magic-auth)."""
    SIGN_OUT = "sign_out"
    SESSION_END = "session_end"
    """The customer ended one of their other sessions."""
    SESSIONS_END = "sessions_end"
    """The customer ended all sessions but the one in use."""
    SESSIONS_END_ALL = "sessions_end_all"
    """The operator ended all of them."""
    HANDOVER = "handover"
    REGISTER = "register"
    RESEND = "resend"
    CONFIRM = "confirm"
    RESET_REQUEST = "reset_request"
    RESET = "reset"
    PASSWORD_CHANGE = "password_change"
    PASSWORD_SET = "password_set"
    """A first password, by a customer who was signed in without one."""
    REAUTHENTICATION_REQUEST = "reauthentication_request"
    REAUTHENTICATION = "reauthentication"
    """A proof in a session that it is the customer, by the password, a passkey or a code from an email."""
    SECOND_STEP_ASKED = "second_step_asked"
    """The first step of a sign-in was right, and the second is asked for."""
    RECOVERY_CODE = "recovery_code"
    """A recovery code was used."""
    RECOVERY_CODES = "recovery_codes"
    """A new set of recovery codes."""
    TWO_STEP_ON = "two_step_on"
    TWO_STEP_OFF = "two_step_off"
    TWO_STEP_RESET = "two_step_reset"
    """The operator turned it off."""
    TRUST_END = "trust_end"
    """No browser signs in without the second step any more."""
    PASSKEY_ADD = "passkey_add"
    PASSKEY_RENAME = "passkey_rename"
    PASSKEY_REMOVE = "passkey_remove"
    PASSKEY_COUNTER = "passkey_counter"
    """A passkey was used whose counter is not higher than at its last use: there may be a copy of it."""
    NOT_ME = "not_me"
    """The customer reported that an event in a notice was not theirs; all sessions ended."""
    PROFILE_CHANGE = "profile_change"
    EXPORT = "export"
    """The customer got a copy of their data."""
    CLOSE = "close"
    """The customer closed the account, to be erased."""
    KEEP = "keep"
    """The customer kept a closed account."""
    ADDRESS_CHANGE_REQUEST = "address_change_request"
    ADDRESS_CHANGE_CANCEL = "address_change_cancel"
    ADDRESS_CHANGE = "address_change"
    ADDRESS_CHANGE_UNDO = "address_change_undo"
    LINK_GUESS = "link_guess"
    BAN = "ban"
    UNBAN = "unban"
    ORGANISATION_ADD = "organisation_add"
    ORGANISATION_CHANGE = "organisation_change"
    IMPORT = "import"
    """Customers were imported from another system; has no contact."""
    DELETE = "delete"
    """A customer was erased; has no contact."""
    KEY_CREATE = "key_create"
    KEY_REVOKE = "key_revoke"
    KEY_LIMIT = "key_limit"
    """A key exceeded its rate limit; recorded once per window."""


@contextmanager
def refusals_recorded(context: Context, visitor: Visitor, kind: EventKind, contact_id: int | None) -> Iterator[None]:
    """Record a Refused raised in the block, in a transaction of its own, and raise it again."""
    try:
        yield
    except Refused as refusal:
        with context.database.write() as connection:
            now = context.clock()
            record(connection, visitor, kind, contact_id=contact_id, now=now, refusal=refusal.failure)
        raise


def record(
    connection: Connection,
    visitor: Visitor,
    kind: EventKind,
    *,
    contact_id: int | None,
    now: datetime,
    refusal: Failure | None = None,
) -> None:
    """Store one event in the caller's transaction; `refusal` is why it failed.

    The event is logged, and so counted in the metrics, after the commit only.
    """
    connection.execute(
        _insert,
        {
            "organisation_id": visitor.organisation_id,
            "of_contact": contact_id,
            "kind": kind,
            "refusal": refusal and refusal.name,
            "reason": visitor.reason,
            "ip": visitor.ip,
            "user_agent": visitor.user_agent,
            "request_id": visitor.request_id,
            "occurred_at": now,
        },
    )
    fields = {
        "kind": kind.value,
        "contact": contact_id,
        "refusal": refusal and refusal.name,
        "request": visitor.request_id,
    }
    words = "%(kind)s contact=%(contact)s refusal=%(refusal)s request=%(request)s"
    after_commit(connection, partial(_log.info, words, fields, extra={"fields": fields}))
