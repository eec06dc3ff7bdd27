"""Queue emails in the caller's transaction, so that an email is sent if and only if its cause was committed."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection, insert

from portal.domain.context import Visitor
from portal.domain.tokens import Purpose
from portal.storage.clock import Clock
from portal.storage.models import OutboxMail


class Notice(StrEnum):
    """The kinds of email; each has a folder in templates/mail."""

    VERIFY = "verify"
    ACCOUNT_EXISTS = "account_exists"
    RESET = "reset"
    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_SET = "password_set"
    """A first password was set."""
    NEW_SIGN_IN = "new_sign_in"
    SESSIONS_ENDED = "sessions_ended"
    """The customer ended all other sessions."""
    ALL_SESSIONS_ENDED = "all_sessions_ended"
    """The operator ended all sessions."""
    BANNED = "banned"
    UNBANNED = "unbanned"
    TWO_STEP_ON = "two_step_on"
    TWO_STEP_OFF = "two_step_off"
    TWO_STEP_RESET = "two_step_reset"
    """Turned off by the operator."""
    RECOVERY_CODE_USED = "recovery_code_used"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    CLOSED = "closed"
    """The customer has closed the account; a link keeps it."""
    KEEP = "keep"
    """The address of a closed account was registered; a link keeps the account."""
    ERASED = "erased"
    """The last email to a customer who was erased (erasure.py)."""
    ADDRESS_CHANGE = "address_change"
    """To the new address: confirms it."""
    ADDRESS_IN_USE = "address_in_use"
    """Instead, if the new address belongs to another account."""
    ADDRESS_REQUESTED = "address_requested"
    """To the present address: a change was requested."""
    ADDRESS_CHANGED = "address_changed"
    """To the former address: the change was made, and can be undone."""
    ADDRESS_RESTORED = "address_restored"
    """To the address that an undone change has brought back: sets a new password."""
    ADDRESS_UNDONE = "address_undone"
    """To the address that an undone change has taken from the account."""
    TEST = "test"
    """Sent by `portal mail test`, and never queued."""


LINKS: Mapping[Notice, Purpose] = {
    Notice.VERIFY: Purpose.VERIFY,
    Notice.RESET: Purpose.RESET,
    Notice.SIGN_IN: Purpose.SIGN_IN,
    Notice.REAUTHENTICATE: Purpose.REAUTHENTICATE,
    Notice.PASSWORD_CHANGED: Purpose.NOT_ME,
    Notice.PASSWORD_SET: Purpose.NOT_ME,
    Notice.NEW_SIGN_IN: Purpose.NOT_ME,
    Notice.SESSIONS_ENDED: Purpose.NOT_ME,
    Notice.ALL_SESSIONS_ENDED: Purpose.NOT_ME,
    Notice.ADDRESS_REQUESTED: Purpose.NOT_ME,
    Notice.TWO_STEP_ON: Purpose.NOT_ME,
    Notice.TWO_STEP_OFF: Purpose.NOT_ME,
    Notice.TWO_STEP_RESET: Purpose.NOT_ME,
    Notice.RECOVERY_CODE_USED: Purpose.NOT_ME,
    Notice.PASSKEY_ADDED: Purpose.NOT_ME,
    Notice.PASSKEY_REMOVED: Purpose.NOT_ME,
    Notice.CLOSED: Purpose.KEEP,
    Notice.KEEP: Purpose.KEEP,
    Notice.ADDRESS_CHANGE: Purpose.ADDRESS_CHANGE,
    Notice.ADDRESS_CHANGED: Purpose.ADDRESS_UNDO,
    Notice.ADDRESS_RESTORED: Purpose.RESET,
}
"""The purpose of the one-time link, or of its code alone, in each email that has one."""
_NOT_URGENT = frozenset(
    {
        *(Notice.PASSWORD_CHANGED, Notice.PASSWORD_SET, Notice.NEW_SIGN_IN, Notice.SESSIONS_ENDED),
        *(Notice.ALL_SESSIONS_ENDED, Notice.BANNED, Notice.UNBANNED, Notice.CLOSED, Notice.ERASED),
        *(Notice.ADDRESS_REQUESTED, Notice.ADDRESS_CHANGED, Notice.ADDRESS_UNDONE),
        *(Notice.TWO_STEP_ON, Notice.TWO_STEP_OFF, Notice.TWO_STEP_RESET, Notice.RECOVERY_CODE_USED),
        *(Notice.PASSKEY_ADDED, Notice.PASSKEY_REMOVED),
    }
)
"""The customer does not wait for these emails; all others are urgent."""
BUNDLING = timedelta(hours=1)
"""The time in which at most one NEW_SIGN_IN is sent to a customer, and the longest that it is put off for that."""


class MailState(StrEnum):
    """The state of an email: queued until it is sent, dead (with a reason) or expired with its link."""

    QUEUED = "queued"
    SENT = "sent"
    """The mail server has accepted it; the portal does not know whether it arrives."""
    DEAD = "dead"
    EXPIRED = "expired"
    DECOY = "void"
    """Never sent: stored so that the timing is the same for known and unknown addresses."""


@dataclass(frozen=True)
class NewMail:
    """An email to queue."""

    notice: Notice
    contact_id: int | None
    recipient: str | None
    locale: str | None = None
    """The visitor's if None."""
    link_id: int | None = None
    wanted: bool = True
    """False for a decoy, which is stored without an address and never sent."""
    details: Mapping[str, object] = field(default_factory=dict)
    """The details that the email lists, as JSON."""
    delay: timedelta = timedelta(0)


_insert = insert(OutboxMail)


def queue(connection: Connection, visitor: Visitor, mail: NewMail, clock: Clock) -> None:
    """Queue an email.

    All times are of the clock that all workers share (`Clock.shared`), so that delays do not depend on this machine's.
    """
    connection.execute(
        _insert.values(due_at=clock.shared(connection, mail.delay), created_at=clock.shared(connection)),
        {
            "organisation_id": visitor.organisation_id,
            "contact_id": mail.contact_id,
            "link_id": mail.link_id,
            "notice": mail.notice,
            "is_urgent": mail.notice not in _NOT_URGENT,
            "recipient": mail.recipient if mail.wanted else None,
            "locale": mail.locale or visitor.locale,
            "ip": visitor.ip if mail.wanted else None,
            "user_agent": visitor.user_agent if mail.wanted else None,
            "message_id": secrets.token_hex(16),
            "state": MailState.QUEUED if mail.wanted else MailState.DECOY,
            "details": dict(mail.details),
        },
    )
