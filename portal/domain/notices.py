"""Queue emails that notify customers of an event, in the transaction of that event.

Such an email counts against no rate limit. Most carry a link "This wasn't me" (use_cases/report_not_me.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from portal.domain import devices, one_time_links, outbox
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.one_time_links import NewLink
from portal.domain.outbox import BUNDLING, LINKS, MailState, NewMail, Notice
from portal.storage.models import OutboxMail

MAX_BUNDLED = 10
"""Further sign-ins that one email lists beside the first."""


def notify(
    connection: Connection,
    context: Context,
    visitor: Visitor,
    contact: ContactCredentials,
    notice: Notice,
    details: Mapping[str, object] | None = None,
) -> None:
    """Queue a notice to a customer; none to a customer without an address."""
    if contact.email is not None:
        mail = replace(_new_mail(connection, context, contact, notice), details=details or {})
        outbox.queue(connection, visitor, mail, context.clock)


def _new_mail(connection: Connection, context: Context, contact: ContactCredentials, notice: Notice) -> NewMail:
    link_id = None
    if purpose := LINKS.get(notice):
        now = context.clock()
        link = NewLink(purpose, contact.id, contact.email, expires_at=now + context.rules.link_lifetime(purpose))
        link_id = one_time_links.issue(connection, link, now).id
    return NewMail(notice, contact.id, contact.email, contact.locale, link_id)


def notify_of_sign_in(
    connection: Connection, context: Context, visitor: Visitor, contact: ContactCredentials, now: datetime
) -> None:
    """Queue a notice of a sign-in with a device that is not known for the customer, before the identity starts.

    None for a customer's first sign-in, nor for one at a shop's server. The first notice is sent at once, so that the
    owner learns of an intruder soon; further sign-ins within the hour are listed in one email at its end, so that a
    browser without cookies does not fill the mailbox. The caller has locked the contact's row.
    """
    if visitor.via_api or contact.email is None or not devices.is_new(connection, visitor, contact.id, now):
        return
    last = connection.execute(
        select(
            OutboxMail.c.id, OutboxMail.c.details, OutboxMail.c.due_at, context.clock.shared(connection).label("now")
        )
        .where(OutboxMail.c.contact_id == contact.id, OutboxMail.c.notice == Notice.NEW_SIGN_IN)
        .where(OutboxMail.c.recipient == contact.email)
        .order_by(OutboxMail.c.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and _add_sign_in(connection, visitor, last, now):
        return
    delay = min(max(last.due_at + BUNDLING - last.now, timedelta(0)), BUNDLING) if last else timedelta(0)
    mail = _new_mail(connection, context, contact, Notice.NEW_SIGN_IN)
    outbox.queue(connection, visitor, replace(mail, delay=delay), context.clock)


def _add_sign_in(connection: Connection, visitor: Visitor, mail: Row[*tuple[Any, ...]], now: datetime) -> bool:
    """Add a sign-in to an email that no worker has claimed yet; return whether there is one."""
    sign_in = {"at": now.isoformat(), "ip": visitor.ip, "userAgent": visitor.user_agent}
    listed = [*mail.details.get("signIns", ()), sign_in][:MAX_BUNDLED]
    unclaimed = update(OutboxMail).where(
        OutboxMail.c.id == mail.id, OutboxMail.c.state == MailState.QUEUED, OutboxMail.c.claim.is_(None)
    )
    return (
        connection.execute(unclaimed.values(details={"signIns": listed}).returning(OutboxMail.c.id)).first() is not None
    )
