"""Mails that nobody asked for: for those who brand them, and to try the settings."""

from collections.abc import Callable
from datetime import timedelta

from portal.domain.context import Context, Rules
from portal.domain.operations.mail_delivery import DueMail, MailedLink
from portal.domain.organisations import Organisation
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose, random_id

RECIPIENT = "customer@example.com"
_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_REASON = "Lost phone, ticket 4711"
_LIFETIMES: dict[Notice, Callable[[Rules], timedelta]] = {
    Notice.VERIFY: lambda rules: rules.verify_lifetime,
    Notice.RESET: lambda rules: rules.reset_lifetime,
    Notice.SIGN_IN: lambda rules: rules.magic_lifetime,
    Notice.REAUTHENTICATE: lambda rules: rules.magic_lifetime,
}


def sample_mail(
    context: Context, organisation: Organisation, notice: Notice, locale: str | None, recipient: str = RECIPIENT
) -> DueMail:
    """Make a mail to be rendered; nothing of it is stored, so its link and code open nothing."""
    now = context.clock()
    link = None
    if notice in _LIFETIMES:
        lifetime = _LIFETIMES[notice](context.rules)
        link = MailedLink(Purpose(notice), random_id(), now, now + lifetime, used_at=None, ended_at=None)
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
        operator_reason=_REASON if notice is Notice.TWO_STEP_RESET else None,
    )
