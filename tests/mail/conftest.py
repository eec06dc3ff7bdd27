"""Fixtures for the tests of email."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from flask.testing import FlaskClient

from portal.domain.context import Visitor
from portal.domain.operations import mail_delivery
from portal.mail.render import render
from tests.conftest import MovableClock
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Sink

OpenOffice = Callable[..., MailPortal]
Rendered = Callable[..., EmailMessage]


def text_of(mail: EmailMessage) -> str:
    """Return the plain text part."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that accepts every email, until a test scripts it."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def open_office(environ: Mapping[str, str], visitor: Visitor, clock: MovableClock) -> Iterator[OpenOffice]:
    """Return a function that makes portals with mail workers on one database, for a sink or the local mailbox."""
    with ExitStack() as stack:

        def open_one(sink: Sink | None = None, **settings: str) -> MailPortal:
            server = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port)} if sink else {}
            changed = {f"PORTAL_{name}": value for name, value in {**server, **settings}.items()}
            mail_portal = MailPortal({**environ, **changed}, visitor, clock)
            stack.callback(mail_portal.close)
            return mail_portal

        yield open_one


@pytest.fixture
def mail_portal(open_office: OpenOffice, sink: Sink) -> MailPortal:
    """The usual portal, which delivers to `sink`."""
    return open_office(sink)


@pytest.fixture
def local_portal(open_office: OpenOffice) -> MailPortal:
    """A portal without a mail server, which stores emails in the local mailbox."""
    return open_office()


@pytest.fixture
def client(local_portal: MailPortal) -> FlaskClient:
    """A program that reads the local mailbox."""
    return local_portal.app.test_client()


@pytest.fixture
def rendered() -> Rendered:
    """Return a function that queues an email, renders it, and parses its bytes."""

    def render_one(mail_portal: MailPortal, *arguments: object, **options: object) -> EmailMessage:
        mail_portal.queue(*arguments, **options)  # type: ignore[arg-type] # passed on as they are
        with mail_portal.context.database.write() as connection:
            mail = mail_delivery.claim_next(connection, mail_portal.context.clock, "c" * 32)
        assert mail is not None
        content = render(mail_portal.app, mail).as_bytes()
        assert content.isascii()
        assert content.count(b"\n") == content.count(b"\r\n"), "a bare line feed"
        return message_from_bytes(content, _class=EmailMessage, policy=default)

    return render_one
