"""What the mail tests may ask for besides."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from portal.domain.context import Visitor
from tests.conftest import MovableClock
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Sink

OpenOffice = Callable[..., MailPortal]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server that takes everything, until told otherwise."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def open_office(environ: Mapping[str, str], visitor: Visitor, clock: MovableClock) -> Iterator[OpenOffice]:
    """Opens mail sides, on one database, for a sink or the local mailbox, with settings of their own."""
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
    """The usual one: it delivers to `sink`."""
    return open_office(sink)
