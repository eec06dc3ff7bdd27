"""One SMTP connection of the test mail server (sink.py), with scripted replies."""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from enum import Enum
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from tests.mail.sink import Sink

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""A self-signed certificate for "localhost", with a key that is used nowhere else."""


class Stage(Enum):
    """The steps at which a reply can be scripted."""

    CONNECT = "220 sink"
    EHLO = "250"
    STARTTLS = "220 go ahead"
    AUTH = "235 welcome"
    MAIL = "250 ok"
    RCPT = "250 ok "
    DATA = "354 go on"
    BODY = ""
    """While the email is received: CLOSE when `close_at` bytes have arrived, SILENT to read no further."""
    DOT = "250 taken"


class Act(Enum):
    """What the server does instead of replying."""

    CLOSE = "close"
    """Close the connection. At Stage.DOT the email was received completely."""
    SILENT = "silent"
    """Send nothing until `release` is called, then continue."""
    DRIP = "drip"
    """Reply as usual, one byte at a time, with a pause after each."""
    CLOSE_AFTER = "close after"
    """Reply as usual, then close the connection."""


@dataclass(frozen=True)
class Envelope:
    """Sender and recipients of an email, and the greeting and login of its connection."""

    sender: str
    recipients: tuple[str, ...]
    greeting: str
    encrypted: bool


class ReceivedMail(EmailMessage):
    """An email that the sink accepted, or received completely before a scripted failure."""

    envelope: Envelope
    raw: bytes


class SmtpConnection:
    """One connection."""

    def __init__(self, sink: "Sink", connection: socket.socket) -> None:
        self._sink = sink
        self._socket = connection
        self._lines = connection.makefile("rb")
        self._greeting = ""
        self._sender = ""
        self._recipients: list[str] = []

    def run(self) -> None:
        """Serve until the client quits; raises EOFError where the script ends the connection."""
        if self._sink.tls:
            sleep(self._sink.handshake_seconds)
            self._encrypt()
        self._answer(Stage.CONNECT)
        while line := self._read():
            verb, _, rest = line.decode("latin-1").rstrip("\r\n").partition(" ")
            self._sink.note(verb.upper())
            handle = getattr(self, f"_on_{verb.lower()}", None)
            if handle is None:
                self._say("502 what?")
            else:
                handle(rest)

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        end(self._socket)

    def _on_ehlo(self, name: str) -> None:
        self._greeting = name
        offers = ["sink", "SIZE 1000000"]
        if self._sink.starttls and not self._encrypted:
            offers.append("STARTTLS")
        if self._sink.auth:
            offers.append("AUTH PLAIN")
        self._answer(Stage.EHLO, "\r\n".join([*(f"250-{offer}" for offer in offers), "250 HELP"]))

    def _on_helo(self, name: str) -> None:
        self._greeting = name
        self._answer(Stage.EHLO, "250 sink")

    def _on_starttls(self, _rest: str) -> None:
        if self._answer(Stage.STARTTLS):
            self._encrypt()

    def _on_auth(self, rest: str) -> None:
        self._sink.logins.append(rest)
        self._answer(Stage.AUTH)

    def _on_mail(self, rest: str) -> None:
        self._sender = _address(rest)
        self._recipients = []
        self._answer(Stage.MAIL)

    def _on_rcpt(self, rest: str) -> None:
        recipient = _address(rest)
        if recipient in self._sink.refused:
            self._say(self._sink.refused[recipient])
        elif self._answer(Stage.RCPT):
            self._recipients.append(recipient)

    def _on_rset(self, _rest: str) -> None:
        self._say("250 forgotten")

    def _on_quit(self, _rest: str) -> None:
        self._say("221 bye")
        raise EOFError

    def _on_data(self, _rest: str) -> None:
        if not self._answer(Stage.DATA):
            return
        lines: list[bytes] = []
        came_in = 0
        if self._sink.script.get(Stage.BODY) is Act.SILENT:
            self._sink.wait_until_released()
        while (line := self._read()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
            came_in += len(line)
            if self._sink.script.get(Stage.BODY) is Act.CLOSE and came_in >= self._sink.close_at:
                raise EOFError
        raw = b"".join(lines)
        mail = cast(ReceivedMail, message_from_bytes(raw, _class=ReceivedMail, policy=default))
        mail.raw = raw
        mail.envelope = Envelope(self._sender, tuple(self._recipients), self._greeting, self._encrypted)
        act = self._sink.script.get(Stage.DOT, Stage.DOT.value)
        # Stored before the reply, so that it is there when the client has the reply.
        self._sink.keep(mail, accepted=act is not Act.CLOSE and (isinstance(act, Act) or act.startswith("2")))
        self._sink.note(".")
        self._answer(Stage.DOT)
        if self._sink.script.get(Stage.DOT) is Act.CLOSE_AFTER:
            raise EOFError

    def _answer(self, stage: Stage, usual: str | None = None) -> bool:
        """Send the scripted reply; return whether it was a success."""
        act = self._sink.script.get(stage, usual or stage.value)
        if act is Act.CLOSE:
            raise EOFError
        if act is Act.SILENT:
            self._sink.wait_until_released()
        words = act if isinstance(act, str) else usual or stage.value
        if act is Act.DRIP:
            for character in words:
                self._socket.sendall(character.encode())
                if self._sink.stopped.wait(self._sink.drip_seconds):
                    raise EOFError
        self._say("" if act is Act.DRIP else words)
        return words[0] in "23"

    def _say(self, words: str) -> None:
        self._socket.sendall(f"{words}\r\n".encode("latin-1"))

    def _read(self) -> bytes:
        line = self._lines.readline()
        if not line:
            raise EOFError
        return line

    @property
    def _encrypted(self) -> bool:
        return isinstance(self._socket, ssl.SSLSocket)

    def _encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self._lines.close()
        self._socket = context.wrap_socket(self._socket, server_side=True)
        self._lines = self._socket.makefile("rb")


def _address(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


def end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
