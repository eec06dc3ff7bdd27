"""Read received emails."""

import re
from email.message import EmailMessage

_LINK = re.compile(r"https?://\S+/[A-Za-z0-9_.-]{40,}")

_CODE = re.compile(r"[0-9]{6}")


def text_of(mail: EmailMessage) -> str:
    """Return the plain text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    content: str = part.get_content()
    return content


def html_of(mail: EmailMessage) -> str:
    """Return the HTML part."""
    part = mail.get_body(("html",))
    assert part is not None
    content: str = part.get_content()
    return content


def link_in(mail: EmailMessage) -> str:
    """Return the one-time link: the only line of the text part that is a URL with a token."""
    (link,) = (line for line in text_of(mail).splitlines() if _LINK.fullmatch(line))
    return link


def last_link(mails: list[EmailMessage]) -> str:
    """Return the last one-time link of several emails."""
    return [line for mail in mails for line in text_of(mail).splitlines() if _LINK.fullmatch(line)][-1]


def code_in(mail: EmailMessage) -> str:
    """Return the code: the only line of the text part with six digits."""
    (code,) = (line for line in text_of(mail).splitlines() if _CODE.fullmatch(line))
    return code
