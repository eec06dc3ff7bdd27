"""Read received emails."""

import re
from email.message import EmailMessage

_LINK = re.compile(r"https?://\S+/(?<!/not-me/)[A-Za-z0-9_.-]{40,}")
_NOT_ME_LINK = re.compile(r"https?://\S+/not-me/[A-Za-z0-9_.-]{40,}")

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


def links_in(mail: EmailMessage) -> list[str]:
    """Return the one-time links: each is alone on its line of the text part, a URL with a token.

    A notice has none: "This wasn't me" was not requested.
    """
    return [line for line in text_of(mail).splitlines() if _LINK.fullmatch(line)]


def link_in(mail: EmailMessage) -> str:
    """Return the only one-time link."""
    (link,) = links_in(mail)
    return link


def last_link(mails: list[EmailMessage]) -> str:
    """Return the newest one-time link; emails that customers wait for are sent first."""
    return [link for mail in mails for link in links_in(mail)][-1]


def not_me_link_in(mail: EmailMessage) -> str:
    """Return the link "This wasn't me" of a notice."""
    (link,) = (line for line in text_of(mail).splitlines() if _NOT_ME_LINK.fullmatch(line))
    return link


def code_in(mail: EmailMessage) -> str:
    """Return the code: the only line of the text part with six digits."""
    (code,) = (line for line in text_of(mail).splitlines() if _CODE.fullmatch(line))
    return code
