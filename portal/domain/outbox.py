"""Queue emails in the caller's transaction, so that an email is sent if and only if its cause was committed."""

import secrets
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert

from portal.domain.context import Visitor
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
    TWO_STEP_ON = "two_step_on"
    TWO_STEP_OFF = "two_step_off"
    TWO_STEP_RESET = "two_step_reset"
    """Turned off by the operator."""
    RECOVERY_CODE_USED = "recovery_code_used"
    CLOSED = "closed"
    """The customer has closed the account; a link keeps it."""
    KEEP = "keep"
    """Somebody registered the address of a closed account; a link keeps it."""
    ERASED = "erased"
    """The last email to a customer who was erased (erasure.py)."""
    TEST = "test"
    """Sent by `portal mail test`, and never queued."""


_NOT_URGENT = frozenset(
    {
        *(Notice.PASSWORD_CHANGED, Notice.CLOSED, Notice.ERASED),
        *(Notice.TWO_STEP_ON, Notice.TWO_STEP_OFF, Notice.TWO_STEP_RESET, Notice.RECOVERY_CODE_USED),
    }
)
"""The customer does not wait for these emails; all others are urgent."""


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
    operator_reason: str | None = None
    """Why the operator did what the email tells of."""
    wanted: bool = True
    """False for a decoy, which is stored without an address and never sent."""


def queue(connection: Connection, visitor: Visitor, mail: NewMail, clock: Clock) -> None:
    """Queue an email.

    All times are of the clock that all workers share (`Clock.shared`), so that delays do not depend on this machine's.
    """
    now = clock.shared(connection)
    connection.execute(
        insert(OutboxMail).values(
            organisation_id=visitor.organisation_id,
            contact_id=mail.contact_id,
            link_id=mail.link_id,
            notice=mail.notice,
            is_urgent=mail.notice not in _NOT_URGENT,
            recipient=mail.recipient if mail.wanted else None,
            locale=mail.locale or visitor.locale,
            ip=visitor.ip if mail.wanted else None,
            user_agent=visitor.user_agent if mail.wanted else None,
            operator_reason=mail.operator_reason,
            message_id=secrets.token_hex(16),
            state=MailState.QUEUED if mail.wanted else MailState.DECOY,
            due_at=now,
            created_at=now,
        )
    )
