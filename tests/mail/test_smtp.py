"""A connection to a mail server, and the class of each failure."""

from base64 import b64encode
from collections.abc import Callable, Mapping

import pytest
from flask_mail import Message

from portal.mail import smtp
from portal.mail.smtp import SmtpTransport
from portal.mail.transport import Misconfigured, NotSent, RecipientRefused, ServerUnavailable, TryLater
from portal.settings import load_settings
from tests.mail.mail_portal import mail_app
from tests.mail.sink import Act, Sink, Stage

pytestmark = pytest.mark.on_sqlite
ADA = "ada@example.com"
SENDER = "portal@example.org"
IMPATIENT = 1.0
"""Seconds; a busy server may use part of one before the late reply."""
Send = Callable[..., None]


@pytest.fixture
def send(environ: Mapping[str, str]) -> Send:
    """Sends one email to a sink, over a new connection."""

    def send_one(sink: Sink, **settings: str) -> None:
        server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
        changed = {f"PORTAL_{name}": value for name, value in settings.items()}
        transport = SmtpTransport(mail_app(load_settings({**environ, **server, **changed})))
        try:
            transport.send(_mail(), SENDER)
        finally:
            transport.close()

    return send_one


def _mail() -> Message:
    return Message("Hello", [ADA], "Hello,\n.\n.. a line that begins with a dot\n", sender=SENDER)


def test_a_mail_arrives_as_it_was_sent_dots_included(send: Send, sink: Sink) -> None:
    send(sink)
    (received,) = sink.messages
    assert received.get_content().replace("\r\n", "\n") == _mail().body
    assert (received.envelope.sender, received.envelope.recipients) == (SENDER, (ADA,))


@pytest.mark.parametrize(
    ("base_url", "greeting"),
    [
        ("https://portal.example.com", "portal.example.com"),
        ("http://192.0.2.7:5000", "[192.0.2.7]"),
        ("http://[2001:db8::7]", "[IPv6:2001:db8::7]"),
    ],
)
def test_the_portal_greets_by_the_host_of_its_base_url(send: Send, sink: Sink, base_url: str, greeting: str) -> None:
    send(sink, BASE_URL=base_url)
    assert sink.messages[0].envelope.greeting == greeting


@pytest.mark.parametrize("how", ["MAIL_USE_TLS", "MAIL_USE_SSL"])
def test_a_self_signed_certificate_is_refused_before_anything_is_sent(send: Send, how: str) -> None:
    with Sink(tls=how == "MAIL_USE_SSL", starttls=how == "MAIL_USE_TLS", auth=True) as sink:
        with pytest.raises(ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            send(sink, **{how: "true"}, MAIL_USERNAME="portal", MAIL_PASSWORD="canary")
        assert (sink.messages, sink.logins) == ([], [])


@pytest.mark.parametrize("how", ["MAIL_USE_TLS", "MAIL_USE_SSL"])
def test_a_trusted_certificate_under_another_name_is_refused(
    send: Send, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink(tls=how == "MAIL_USE_SSL", starttls=how == "MAIL_USE_TLS") as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        sink.host = "127.0.0.1"
        with pytest.raises(ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            send(sink, **{how: "true"})
        assert sink.messages == []


@pytest.mark.parametrize("how", ["MAIL_USE_TLS", "MAIL_USE_SSL"])
def test_a_trusted_server_gets_login_and_mail_encrypted(send: Send, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sink(tls=how == "MAIL_USE_SSL", starttls=how == "MAIL_USE_TLS", auth=True) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        send(sink, **{how: "true"}, MAIL_USERNAME="portal", MAIL_PASSWORD="secret")
        assert sink.messages[0].envelope.encrypted
        assert sink.logins == ["PLAIN " + b64encode(b"\0portal\0secret").decode()]


def test_a_server_without_required_starttls_gets_no_mail(send: Send, sink: Sink) -> None:
    with pytest.raises(Misconfigured, match="STARTTLS"):
        send(sink, MAIL_USE_TLS="true")
    assert sink.messages == []


def test_a_server_without_auth_is_a_wrong_setting(send: Send, sink: Sink) -> None:
    with pytest.raises(Misconfigured, match="AUTH"):
        send(sink, MAIL_USERNAME="portal", MAIL_PASSWORD="secret")


def test_a_refused_login_is_a_wrong_setting_and_its_reason_holds_no_password(send: Send) -> None:
    with Sink(auth=True) as sink:
        sink.script[Stage.AUTH] = "535 5.7.8 no"
        with pytest.raises(Misconfigured) as caught:
            send(sink, MAIL_USERNAME="portal", MAIL_PASSWORD="canary")
    assert caught.value.reason == "535 5.7.8 no"


def test_a_password_that_cannot_be_sent_is_a_wrong_setting_that_does_not_quote_it(send: Send) -> None:
    with Sink(auth=True) as sink, pytest.raises(Misconfigured) as caught:
        send(sink, MAIL_USERNAME="portal", MAIL_PASSWORD="canarý")
    assert "canar" not in caught.value.reason


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT])
@pytest.mark.parametrize("code", ["530 5.7.0 authenticate first", "535 5.7.8 who are you"])
def test_a_demand_for_authentication_at_any_stage_is_a_wrong_setting(
    send: Send, sink: Sink, stage: Stage, code: str
) -> None:
    sink.script[stage] = code
    with pytest.raises(Misconfigured):
        send(sink)


@pytest.mark.full
@pytest.mark.parametrize(
    ("stage", "failure"),
    [(Stage.CONNECT, ServerUnavailable), (Stage.EHLO, ServerUnavailable)]
    + [(stage, TryLater) for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT)],
)
@pytest.mark.parametrize("act", [Act.SILENT, Act.DRIP, Act.CLOSE])
def test_a_silent_slow_or_closing_server_times_out(
    send: Send, sink: Sink, stage: Stage, failure: type[NotSent], act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", IMPATIENT)
    sink.drip_seconds = IMPATIENT / 5  # each byte arrives in time, the whole reply does not
    sink.script[stage] = act
    with pytest.raises(failure) as caught:
        send(sink)
    assert type(caught.value) is failure
    assert sink.messages == [] or stage is Stage.DOT


@pytest.mark.parametrize("stage", [Stage.STARTTLS, Stage.AUTH])
@pytest.mark.parametrize("act", [Act.SILENT, Act.DRIP, Act.CLOSE])
def test_a_silent_slow_or_closing_server_before_the_mail_times_out(
    send: Send, stage: Stage, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", 0.5)
    with Sink(starttls=True, auth=True) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", sink.certificate)
        sink.drip_seconds = 0.3
        sink.script[stage] = act
        with pytest.raises(ServerUnavailable):
            send(sink, MAIL_USE_TLS="true", MAIL_USERNAME="portal", MAIL_PASSWORD="secret")
        assert sink.messages == []


def test_a_server_silent_in_the_tls_handshake_times_out(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", 0.3)
    with Sink() as sink:  # it waits for a command, and the client waits for a TLS handshake
        sink.script[Stage.CONNECT] = Act.SILENT
        with pytest.raises(ServerUnavailable, match="timed out"):
            send(sink, MAIL_USE_SSL="true")


@pytest.mark.full
def test_a_server_that_stops_reading_a_mail_times_out(
    environ: Mapping[str, str], sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", IMPATIENT)
    mail = _mail()
    mail.attach("large.png", "image/png", b"x" * 30_000_000)  # more than the buffers hold
    sink.script[Stage.BODY] = Act.SILENT
    server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
    transport = SmtpTransport(mail_app(load_settings({**environ, **server})))
    with pytest.raises(TryLater):
        transport.send(mail, SENDER)


def test_a_mail_has_a_total_timeout(send: Send, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "MAIL_SECONDS", IMPATIENT)
    sink.drip_seconds = IMPATIENT / 20  # each reply arrives in time, all of them together do not
    sink.script = dict.fromkeys((Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT), Act.DRIP)
    with pytest.raises(TryLater):
        send(sink)


def test_a_connection_that_ended_between_two_mails_costs_no_attempt(environ: Mapping[str, str], sink: Sink) -> None:
    server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
    transport = SmtpTransport(mail_app(load_settings({**environ, **server})))
    sink.script[Stage.DOT] = Act.CLOSE_AFTER
    for _ in range(3):
        transport.send(_mail(), SENDER)
    transport.close()
    assert (len(sink.messages), sink.connections) == (3, 3)


def test_errors_at_quit_are_ignored(environ: Mapping[str, str], sink: Sink) -> None:
    server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
    transport = SmtpTransport(mail_app(load_settings({**environ, **server})))
    transport.send(_mail(), SENDER)
    sink.stop()
    transport.close()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 <Ada@Example.com>: unknown user ada@example.com", "550 <address> unknown user <address>"),
        ("550-first line\r\n550 second\tline", "550 first line second line"),
        ("550 \x1b[31mred\x1b[0m \x00 \x85 \xff", "550 [31mred [0m \ufffd \ufffd"),
        ("554 spam: https://portal.example.com/register/verify/abc.def", "554 spam: <...>"),
        ("554 spam: portal.example.com/register/verify/" + "t" * 32, "554 spam: <...>"),
        ("550 " + "word " * 400, "550 " + "word " * 39 + "w"),
        ("550", "550"),
    ],
)
def test_a_reason_holds_no_address_link_or_control_character_and_is_truncated(
    send: Send, sink: Sink, said: str, kept: str
) -> None:
    sink.script[Stage.RCPT] = said
    with pytest.raises(RecipientRefused) as caught:
        send(sink)
    assert caught.value.reason == str(caught.value) == kept[:200]
