"""How a mail leaves: what a transport promises, how it fails, and the local mailbox in place of a mail server."""

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
    """A mail did not leave. The reason holds no address, no link and no control character: it is stored and logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TryLater(NotSent):
    """The mail may get through another time."""


class RecipientRefused(NotSent):
    """The mail will never get through, or not to this recipient."""


class PolicyRefused(RecipientRefused):
    """A rule of the server's is against the mail: against this one, or against all that we send."""


class ServerUnavailable(NotSent):
    """No mail can be sent for now; it is not this one's fault."""


class Misconfigured(ServerUnavailable):
    """No mail can be sent until somebody puts right what the server objects to: our login, our sender, our settings."""


class SenderRefused(Misconfigured):
    """The server does not let us send in this name; in another it may."""


class Transport(Protocol):
    """Somewhere to send mails to, one after another."""

    def send(self, message: Message, sender: str) -> None:
        """Hand one mail over, in the name of `sender` (the envelope's); raises NotSent.

        When this returns, somebody else is responsible for it.
        """

    def close(self) -> None:
        """End what is kept open between mails; another mail opens it again. Never raises."""


class MaildirTransport:
    """The local mailbox: a Maildir that nobody but the portal's own user can read, since its mails open accounts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message, sender: str) -> None:
        """Store one mail: it is there whole or not at all."""
        envelope = f"Return-Path: <{sender}>\nDelivered-To: {message.recipients[0]}\n".encode("ascii")
        content = envelope + message.as_bytes().replace(b"\r\n", b"\n")
        # Names sort by age: the mailbox page shows the newest first.
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
        """Nothing is kept open."""


def mailbox_folder(settings: Settings) -> Path:
    """Where the local mailbox lies."""
    return settings.instance_path / MAILBOX_FOLDER


def make_mailbox(folder: Path) -> None:
    """An empty Maildir, unless it is there."""
    for part in (folder, folder / "tmp", folder / "new", folder / "cur"):
        part.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)


def own_host(settings: Settings) -> str:
    """The portal's host as mails name it: that of BASE_URL, an address in the brackets of RFC 5321, section 4.1.3.

    Not the machine's name: that may be private or unqualified, and to find it may take a query that hangs.
    """
    host = urlsplit(settings.base_url).hostname or "localhost"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
