"""Sample emails, to preview templates and to test the mail settings."""

from datetime import datetime, timedelta

from portal.domain.context import Context
from portal.domain.operations.mail_delivery import DueMail, MailedLink
from portal.domain.organisations import Organisation
from portal.domain.outbox import LINKS, Notice
from portal.domain.tokens import random_id

RECIPIENT = "customer@example.com"
_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


def _details(notice: Notice, now: datetime) -> dict[str, str]:
    if notice is Notice.BANNED:
        return {"until": (now + timedelta(days=30)).isoformat()}
    if notice in (Notice.PASSKEY_ADDED, Notice.PASSKEY_REMOVED):
        return {"provider": "Google Password Manager"}
    return {"reason": "Lost phone, ticket 4711"} if notice is Notice.TWO_STEP_RESET else {}


def sample_mail(
    context: Context, organisation: Organisation, notice: Notice, locale: str | None, recipient: str = RECIPIENT
) -> DueMail:
    """Return an email to render. Nothing of it is stored, so its link and code do not work."""
    now = context.clock()
    link = None
    if purpose := LINKS.get(notice):
        expires_at = now + context.rules.link_lifetime(purpose)
        link = MailedLink(purpose, random_id(), now, expires_at, used_at=None, ended_at=None)
    return DueMail(
        link=link,
        organisation=organisation,
        claimed_at=now,
        id=0,
        claim="",
        notice=notice,
        recipient=recipient,
        locale=locale,
        message_id=random_id(),
        attempts=0,
        created_at=now,
        ip=None,
        user_agent=_USER_AGENT,
        details=_details(notice, now),
    )
