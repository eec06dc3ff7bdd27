"""Mails as data: queued in the caller's transaction, so that a mail is due if and only if its cause was committed."""

import secrets
from enum import StrEnum

from sqlalchemy import Connection, insert

from portal.domain.context import Visitor
from portal.storage.clock import Clock
from portal.storage.models import OutboxMail


class Notice(StrEnum):
    """The mails there are; each is a folder in templates/mail."""

    VERIFY = "verify"
    ACCOUNT_EXISTS = "account_exists"
    RESET = "reset"
    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"
    PASSWORD_CHANGED = "password_changed"


_TOLD_LATER = frozenset({Notice.PASSWORD_CHANGED})
"""Nobody sits and waits for these; all others are urgent."""


class MailState(StrEnum):
    """The life of a mail: queued until it is sent, dead (with a reason) or expired with its link."""

    QUEUED = "queued"
    SENT = "sent"
    """The mail server has taken it over; whether it arrives, nobody tells the portal."""
    DEAD = "dead"
    EXPIRED = "expired"
    DECOY = "void"
    """Never meant to be sent: written so that the work for an unknown address is that for a known one."""


def queue(
    connection: Connection,
    visitor: Visitor,
    notice: Notice,
    *,
    contact_id: int | None,
    recipient: str | None,
    clock: Clock,
    locale: str | None = None,
    link_id: int | None = None,
    wanted: bool = True,
) -> None:
    """Add one mail. An unwanted one (nobody to send it to) is stored as void, without an address.

    All times of a mail are those that workers go by: how long it has waited is known whatever clock this machine has.
    """
    now = clock.shared(connection)
    connection.execute(
        insert(OutboxMail).values(
            organisation_id=visitor.organisation_id,
            contact_id=contact_id,
            link_id=link_id,
            notice=notice,
            is_urgent=notice not in _TOLD_LATER,
            recipient=recipient if wanted else None,
            locale=locale or visitor.locale,
            message_id=secrets.token_hex(16),
            state=MailState.QUEUED if wanted else MailState.DECOY,
            due_at=now,
            created_at=now,
        )
    )
