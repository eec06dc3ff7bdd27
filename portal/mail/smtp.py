"""The mail server: Flask-Mail's connection, with time-outs, verified certificates and sorted failures."""

import io
import re
import smtplib
import socket
import ssl
from time import monotonic
from typing import TYPE_CHECKING

import flask_mail
from flask import Flask

from portal.app import settings_of
from portal.mail.transport import (
    Misconfigured,
    NotSent,
    PolicyRefused,
    RecipientRefused,
    SenderRefused,
    ServerUnavailable,
    TryLater,
    own_host,
)
from portal.settings import Settings

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 5
"""For each address of the server's name."""
COMMAND_SECONDS = 30
"""From a command to the end of the answer, however the answer drips; and for a handshake."""
MAIL_SECONDS = 120
"""For the opening of a connection, and for a whole mail."""
QUIT_SECONDS = 5
REASON_LENGTH = 200
_TOO_LARGE = 552
_NOT_LET_IN = {530, 534, 535, 538}
"""Refusals of our login, or of its lack, at whatever stage they come."""


class _Client(smtplib.SMTP):
    """smtplib's client that gives up in time.

    A socket's own time-out counts from byte to byte: a server that sends one a second would hold the worker for ever.
    """

    def __init__(self, host: str, port: int, local_hostname: str) -> None:
        self.give_up_after(MAIL_SECONDS)
        super().__init__(host, port, local_hostname, CONNECT_SECONDS)

    def give_up_after(self, seconds: float) -> None:
        """Begin to count anew for all that follows."""
        self._end = monotonic() + seconds

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc] # not in its types
        connected.settimeout(COMMAND_SECONDS)  # for the handshake
        return connected

    def getreply(self) -> tuple[int, bytes]:
        """The server's answer; raises SMTPServerDisconnected when it does not come in time."""
        self._answer_end = min(self._end, monotonic() + COMMAND_SECONDS)
        if self.file is None:
            self.file = io.BufferedReader(_Answers(self))
        return super().getreply()

    def wait(self) -> float:
        """For how many seconds the next bytes may be waited for; raises TimeoutError when it has been long enough."""
        seconds = self._answer_end - monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


class _TlsClient(smtplib.SMTP_SSL, _Client):
    """The same over TLS from the first byte."""

    def __init__(self, host: str, port: int, local_hostname: str, context: ssl.SSLContext) -> None:
        self.give_up_after(MAIL_SECONDS)
        smtplib.SMTP_SSL.__init__(self, host, port, local_hostname, timeout=CONNECT_SECONDS, context=context)


class _Answers(io.RawIOBase):
    """What a server sends."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        connected = self._client.sock
        if connected is None:
            return 0
        connected.settimeout(self._client.wait())
        return connected.recv_into(buffer)


def mail_config(settings: Settings) -> dict[str, object]:
    """Flask-Mail's own settings, as the portal's want them."""
    return {
        "MAIL_SERVER": settings.mail_server,
        "MAIL_PORT": settings.mail_port,
        "MAIL_USERNAME": settings.mail_username,
        "MAIL_PASSWORD": settings.mail_password,
        "MAIL_USE_TLS": settings.mail_use_tls,
        "MAIL_USE_SSL": settings.mail_use_ssl,
        "MAIL_DEFAULT_SENDER": settings.mail_default_sender,
    }


class SmtpConnection(flask_mail.Connection):
    """Flask-Mail's connection, which on its own waits for ever and believes any certificate."""

    def __init__(self, mail: flask_mail.Mail, local_hostname: str) -> None:
        super().__init__(mail)
        self._local_hostname = local_hostname

    def configure_host(self) -> _Client:
        """Connect, greet, encrypt and log in, as far as the settings want it; raises what smtplib raises."""
        mail = self.mail
        if mail.use_ssl:
            tls = ssl.create_default_context()
            client: _Client = _TlsClient(mail.server, mail.port, self._local_hostname, tls)
        else:
            client = _Client(mail.server, mail.port, self._local_hostname)
        try:
            client.ehlo_or_helo_if_needed()
            if mail.use_tls:
                client.starttls(context=ssl.create_default_context())
                client.ehlo_or_helo_if_needed()
            if mail.username and mail.password:
                client.login(mail.username, mail.password)
        except BaseException:
            client.close()
            raise
        return client


class SmtpTransport:
    """A mail server, by one connection that is kept over several mails. For one thread."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._connection = SmtpConnection(app.extensions["mail"], own_host(settings_of(app)))
        self._client: _Client | None = None

    def send(self, message: flask_mail.Message, sender: str) -> None:
        """Send one mail within two minutes; raises NotSent."""
        client = self._client = self._connection.host = self._still_open() or self._open()
        client.give_up_after(MAIL_SECONDS)
        try:
            with self._app.app_context():
                self._connection.send(message, envelope_from=sender)
        except Exception as error:
            self._drop()
            if isinstance(error, OSError):  # as all of smtplib's are
                raise _failed_sending(error) from None
            raise

    def close(self) -> None:
        """Say goodbye. What was sent is sent, whatever the server answers."""
        if self._client is not None:
            self._client.give_up_after(QUIT_SECONDS)
            try:
                self._client.quit()
            except OSError:
                pass
            finally:
                self._drop()

    def _open(self) -> _Client:
        try:
            return self._connection.configure_host()
        except (OSError, ValueError) as error:
            raise _failed_opening(error) from None

    def _still_open(self) -> _Client | None:
        """The kept connection, unless the server has ended it meanwhile: that is no failed try of the next mail."""
        if self._client is None:
            return None
        self._client.give_up_after(COMMAND_SECONDS)
        try:
            if self._client.rset()[0] == 250:
                return self._client
        except OSError:
            pass
        self._drop()
        return None

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _failed_opening(error: OSError | ValueError) -> NotSent:
    """No mail can be sent: for now, or until the operator does something."""
    if isinstance(error, smtplib.SMTPResponseException):
        kind = Misconfigured if _is_final(error.smtp_code) else ServerUnavailable
        return kind(_reason(error.smtp_error, error.smtp_code))
    if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
        return Misconfigured(_reason(str(error)))  # no STARTTLS, or no way to log in
    if isinstance(error, OSError):
        return ServerUnavailable(_reason(str(error)))
    # Its text may quote what could not be encoded.
    return Misconfigured("the user name or the password cannot be sent: not ASCII")


def _failed_sending(error: OSError) -> NotSent:
    """Whose fault it was: the server's for now, this mail's, or ours."""
    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        return TryLater(_reason(str(error)))
    reason = _reason(text, code)
    if not _is_final(code):
        return TryLater(reason)
    if code in _NOT_LET_IN:
        return Misconfigured(reason)
    if isinstance(error, smtplib.SMTPSenderRefused) and code != _TOO_LARGE:
        return SenderRefused(reason)
    return PolicyRefused(reason) if _is_policy(reason) else RecipientRefused(reason)


def _is_final(code: int) -> bool:
    return 500 <= code < 600


def _is_policy(reason: str) -> bool:
    """RFC 3463, section 3.8: "security or policy status"; without such a code a plain 554 may mean anything."""
    return re.match(r"5\d\d 5\.7\.|554(?! 5\.\d)", reason) is not None


def _reason(text: bytes | str, code: int | None = None) -> str:
    """What the server said, fit to be stored and logged: servers quote addresses, and links out of mails."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    text = "".join(character if character.isprintable() else " " for character in text[: 10 * REASON_LENGTH])
    text = re.sub(r"\S+@\S+", "<address>", text)
    text = re.sub(r"\S*://\S+|\S{40,}", "<...>", text)
    return " ".join(f"{code or ''} {text}".split())[:REASON_LENGTH]
