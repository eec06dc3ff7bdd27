"""An outgoing message: Flask-Mail's, but serialised by the current API of Python's email package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

import flask_mail

LOGO_ID = "logo"


class _Policy(EmailPolicy):
    """The current policy of Python's email package, with its older encoding for a subject or name beyond ASCII.

    Where it folds such a line, the current encoding loses the space between two words, or adds one inside a word.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        if name not in ("Subject", "From") or str(value).isascii():
            return super().fold_binary(name, value)
        text, address = str(value), ""
        if isinstance(value, AddressHeader):
            (sender,) = value.addresses
            text, address = sender.display_name, f"{self.linesep} <{sender.addr_spec}>"
        encoded = Header(text, "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{address}{self.linesep}".encode("ascii")


# All servers accept 7-bit messages; other characters are encoded.
_POLICY = _Policy(cte_type="7bit", linesep="\r\n")


@dataclass(frozen=True)
class MessageContent:
    """The content of a message: a text, an HTML version of it, and optionally a logo that the HTML shows.

    The texts may contain links that sign in, so they are left out of the repr.
    """

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    logo: flask_mail.Attachment | None = None


class OutgoingMessage(flask_mail.Message):
    """An email to deliver.

    Flask-Mail itself would write 8-bit text, add the logo as an attachment and not as related to the HTML, and start a
    new header after VT, FF, FS, GS or RS in a header.
    """

    def __init__(
        self,
        recipient: Address,
        sender: Address,
        content: MessageContent,
        *,
        date: datetime,
        message_id: str,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(
            content.subject,
            [recipient.addr_spec],
            content.text,
            content.html,
            sender=sender.addr_spec,
            date=date.timestamp(),
            extra_headers=dict(headers),
            attachments=[content.logo] if content.logo else [],
        )
        self.msgId = message_id
        self._from = sender

    def as_bytes(self) -> bytes:
        """Serialise the message with CRLF line ends; the bytes are always the same, except for the MIME boundaries."""
        written = EmailMessage(_POLICY)
        written["From"] = self._from
        written["To"] = Address(addr_spec=str(self.recipients[0]))
        written["Subject"] = self.subject
        written["Date"] = datetime.fromtimestamp(self.date or 0, UTC)
        written["Message-ID"] = self.msgId
        written.set_content(self.body or "")
        written.add_alternative(self.html or "", subtype="html")
        for logo in self.attachments:
            _relate(written, logo)
        # After the content, since Content-Language would move to the first part with it.
        for name, value in (self.extra_headers or {}).items():
            written[name] = value
        return written.as_bytes()


def _relate(message: EmailMessage, logo: flask_mail.Attachment) -> None:
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)  # noqa: S101 - added by as_bytes
    html.add_related(logo.data, *logo.content_type.split("/"), cid=f"<{LOGO_ID}>", disposition="inline")
