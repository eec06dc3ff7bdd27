"""The interface of mail transports, their errors, and the local mailbox, which replaces a mail server."""

import os
import time
from ipaddress import ip_address
from pathlib import Path
from secrets import token_hex
from typing import Protocol
from urllib.parse import urlsplit

from flask_mail import Message

from portal.settings import Settings

MAILBOX_FOLDER = "mailbox"
_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600


class NotSent(Exception):
    """An email was not sent. The reason is stored and logged, so it has no address, link or control character."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TryLater(NotSent):
    """A temporary failure of this email; a later attempt may succeed."""


class RecipientRefused(NotSent):
    """A permanent failure of this email, or of its recipient."""


class PolicyRefused(RecipientRefused):
    """The server rejected the email by a policy, which may apply to this email or to all emails of the portal."""


class ServerUnavailable(NotSent):
    """No email can be sent now; the cause is not this email."""


class Misconfigured(ServerUnavailable):
    """No email can be sent until the operator corrects the login, the sender or another setting."""


class SenderRefused(Misconfigured):
    """The server rejected the sender; it may accept another one."""


class Transport(Protocol):
    """Sends emails, one at a time."""

    def send(self, message: Message, sender: str) -> None:
        """Send an email with an envelope sender; raises NotSent.

        When this returns, the receiver is responsible for the email.
        """

    def close(self) -> None:
        """Close the connection, if any; the next email opens it again. Never raises."""


class MaildirTransport:
    """The local mailbox: a Maildir that only the portal's system user can read, since its emails can sign in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message, sender: str) -> None:
        """Store the email as a whole or not at all."""
        envelope = f"Return-Path: <{sender}>\nDelivered-To: {message.recipients[0]}\n".encode("ascii")
        content = envelope + message.as_bytes().replace(b"\r\n", b"\n")
        # Names sort by age, for the mailbox page.
        name = f"{time.time_ns()}.{token_hex(8)}.portal"
        unfinished = self._folder / "tmp" / name
        try:
            make_mailbox(self._folder)
            try:
                with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE_FILE), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.rename(self._folder / "new" / name)
            finally:
                unfinished.unlink(missing_ok=True)
        except OSError as error:
            raise ServerUnavailable(f"the local mailbox cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Do nothing: there is no connection."""


def mailbox_folder(settings: Settings) -> Path:
    """Return the folder of the local mailbox."""
    return settings.instance_path / MAILBOX_FOLDER


def make_mailbox(folder: Path) -> None:
    """Create a Maildir, unless it exists."""
    for part in (folder, folder / "tmp", folder / "new", folder / "cur"):
        part.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)


def own_host(settings: Settings) -> str:
    """Return the host of BASE_URL as emails name it: an IP address in the brackets of RFC 5321, section 4.1.3.

    The machine's own name may be private or unqualified, and finding it may take a DNS query that hangs.
    """
    host = urlsplit(settings.base_url).hostname or "localhost"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
