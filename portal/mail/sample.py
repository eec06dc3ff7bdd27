"""Sample emails, to preview templates and to test the mail settings."""

from collections.abc import Callable
from datetime import timedelta

from portal.domain.context import Context, Rules
from portal.domain.notices import NOT_ME_LIFETIME, WITHOUT_LINK
from portal.domain.operations.mail_delivery import DueMail, MailedLink
from portal.domain.organisations import Organisation
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose, random_id

RECIPIENT = "customer@example.com"
_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_LIFETIMES: dict[Purpose, Callable[[Rules], timedelta]] = {
    Purpose.VERIFY: lambda rules: rules.verify_lifetime,
    Purpose.RESET: lambda rules: rules.reset_lifetime,
    Purpose.SIGN_IN: lambda rules: rules.magic_lifetime,
    Purpose.REAUTHENTICATE: lambda rules: rules.magic_lifetime,
    Purpose.KEEP: lambda rules: rules.deletion_grace,
    Purpose.NOT_ME: lambda _rules: NOT_ME_LIFETIME,
}
_WITHOUT_LINK = {*WITHOUT_LINK, Notice.ACCOUNT_EXISTS, Notice.ERASED, Notice.TEST}


def purpose_of(notice: Notice) -> Purpose | None:
    """Return the purpose of the link in a mail of a kind; None for one that carries none."""
    if notice in _WITHOUT_LINK:
        return None
    if notice is Notice.CLOSED:
        return Purpose.KEEP
    return {str(purpose): purpose for purpose in Purpose}.get(notice, Purpose.NOT_ME)


def sample_mail(
    context: Context, organisation: Organisation, notice: Notice, locale: str | None, recipient: str = RECIPIENT
) -> DueMail:
    """Return an email to render. Nothing of it is stored, so its link and code do not work."""
    now = context.clock()
    link = None
    if purpose := purpose_of(notice):
        lifetime = _LIFETIMES[purpose](context.rules)
        link = MailedLink(purpose, random_id(), now, now + lifetime, used_at=None, ended_at=None)
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
        details={"until": (now + timedelta(days=30)).isoformat()} if notice is Notice.BANNED else {},
    )
