"""The portal's mail, as it arrives: delivered by the real worker over SMTP, read from what was received."""

import re
from email.message import EmailMessage

_LINK = re.compile(r"https?://\S+/[A-Za-z0-9_.-]{40,}")

_CODE = re.compile(r"[0-9]{6}")


def text_of(mail: EmailMessage) -> str:
    """The plain text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    content: str = part.get_content()
    return content


def html_of(mail: EmailMessage) -> str:
    """The HTML part."""
    part = mail.get_body(("html",))
    assert part is not None
    content: str = part.get_content()
    return content


def link_in(mail: EmailMessage) -> str:
    """The one-time link: the only line of the text part that is nothing but an address with a token."""
    (link,) = (line for line in text_of(mail).splitlines() if _LINK.fullmatch(line))
    return link


def last_link(mails: list[EmailMessage]) -> str:
    """The newest one-time link: of mails that wait together, those that somebody waits for come first."""
    return [line for mail in mails for line in text_of(mail).splitlines() if _LINK.fullmatch(line)][-1]


def code_in(mail: EmailMessage) -> str:
    """The code beside the link: alone on its line."""
    (code,) = (line for line in text_of(mail).splitlines() if _CODE.fullmatch(line))
    return code
