"""Send emails to a mail server: Flask-Mail's connection, with timeouts, verified certificates and typed errors."""

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
"""The timeout of each IP address of the server."""
COMMAND_SECONDS = 30
"""The timeout from a command to the end of its reply, and of a TLS handshake."""
MAIL_SECONDS = 120
"""The timeout of opening a connection, and of a whole email."""
QUIT_SECONDS = 5
REASON_LENGTH = 200
_TOO_LARGE = 552
_AUTHENTICATION_CODES = {530, 534, 535, 538}
"""Replies that reject the login or require one, to any command."""


class _Client(smtplib.SMTP):
    """smtplib's client with a deadline.

    The timeout of a socket starts again with each byte, so a server that sends one each second would block the worker
    for ever.
    """

    def __init__(self, host: str, port: int, local_hostname: str) -> None:
        self.set_deadline(MAIL_SECONDS)
        super().__init__(host, port, local_hostname, CONNECT_SECONDS)

    def set_deadline(self, seconds: float) -> None:
        """Set the deadline for everything that follows."""
        self._deadline = monotonic() + seconds

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connected: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc] # not in its types
        connected.settimeout(COMMAND_SECONDS)  # for the handshake
        return connected

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply; raises SMTPServerDisconnected after the timeout."""
        self._reply_deadline = min(self._deadline, monotonic() + COMMAND_SECONDS)
        if self.file is None:
            self.file = io.BufferedReader(_Replies(self))
        return super().getreply()

    def seconds_left(self) -> float:
        """Return the seconds until the deadline of the reply; raises TimeoutError after it."""
        seconds = self._reply_deadline - monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


class _TlsClient(smtplib.SMTP_SSL, _Client):
    """The client for TLS from the first byte."""

    def __init__(self, host: str, port: int, local_hostname: str, context: ssl.SSLContext) -> None:
        self.set_deadline(MAIL_SECONDS)
        smtplib.SMTP_SSL.__init__(self, host, port, local_hostname, timeout=CONNECT_SECONDS, context=context)


class _Replies(io.RawIOBase):
    """The replies of a server, read until the deadline of the client."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        connected = self._client.sock
        if connected is None:
            return 0
        connected.settimeout(self._client.seconds_left())
        return connected.recv_into(buffer)


def mail_config(settings: Settings) -> dict[str, object]:
    """Return the configuration of Flask-Mail."""
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
    """Flask-Mail's connection with timeouts and verified certificates."""

    def __init__(self, mail: flask_mail.Mail, local_hostname: str) -> None:
        super().__init__(mail)
        self._local_hostname = local_hostname

    def configure_host(self) -> _Client:
        """Connect, and start TLS and log in if set; raises OSError, as smtplib does, or ValueError."""
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
    """Sends emails to the mail server over one connection, which stays open between emails. Not thread-safe."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._connection = SmtpConnection(app.extensions["mail"], own_host(settings_of(app)))
        self._client: _Client | None = None

    def send(self, message: flask_mail.Message, sender: str) -> None:
        """Send an email within MAIL_SECONDS; raises NotSent."""
        client = self._client = self._connection.host = self._open_client() or self._open()
        client.set_deadline(MAIL_SECONDS)
        try:
            with self._app.app_context():
                self._connection.send(message, envelope_from=sender)
        except Exception as error:
            self._drop()
            if isinstance(error, OSError):  # includes the exceptions of smtplib
                raise _sending_error(error) from None
            raise

    def close(self) -> None:
        """Send QUIT and close the connection; the reply does not matter for the emails that were sent."""
        if self._client is not None:
            self._client.set_deadline(QUIT_SECONDS)
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
            raise _connection_error(error) from None

    def _open_client(self) -> _Client | None:
        """Return the open connection, or None if the server has closed it: that must not count as a failed attempt."""
        if self._client is None:
            return None
        self._client.set_deadline(COMMAND_SECONDS)
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


def _connection_error(error: OSError | ValueError) -> NotSent:
    if isinstance(error, smtplib.SMTPResponseException):
        kind = Misconfigured if _is_final(error.smtp_code) else ServerUnavailable
        return kind(_reason(error.smtp_error, error.smtp_code))
    if isinstance(error, smtplib.SMTPException) and not isinstance(error, smtplib.SMTPServerDisconnected):
        return Misconfigured(_reason(str(error)))  # no STARTTLS, or no way to log in
    if isinstance(error, OSError):
        return ServerUnavailable(_reason(str(error)))
    # The message is left out, since it may quote the password.
    return Misconfigured("the user name or the password cannot be sent: not ASCII")


def _sending_error(error: OSError) -> NotSent:
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
    if code in _AUTHENTICATION_CODES:
        return Misconfigured(reason)
    if isinstance(error, smtplib.SMTPSenderRefused) and code != _TOO_LARGE:
        return SenderRefused(reason)
    return PolicyRefused(reason) if _is_policy(reason) else RecipientRefused(reason)


def _is_final(code: int) -> bool:
    return 500 <= code < 600


def _is_policy(reason: str) -> bool:
    """Return whether a reply has a policy status (RFC 3463, section 3.8), or is a 554 without an enhanced status."""
    return re.match(r"5\d\d 5\.7\.|554(?! 5\.\d)", reason) is not None


def _reason(text: bytes | str, code: int | None = None) -> str:
    """Return the reply without addresses and links of the email, which servers quote, to store and log it."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    text = "".join(character if character.isprintable() else " " for character in text[: 10 * REASON_LENGTH])
    text = re.sub(r"\S+@\S+", "<address>", text)
    text = re.sub(r"\S*://\S+|\S{40,}", "<...>", text)
    return " ".join(f"{code or ''} {text}".split())[:REASON_LENGTH]
