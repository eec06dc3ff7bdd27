from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from portal.domain.outbox import Notice
from portal.i18n import Languages
from tests.audit.tools import are_installed
from tests.browser.catalogue import STATES
from tests.browser.conftest import (  # noqa: F401 - the fixtures that the portal and the browser here come from
    browser,
    chromium,
    failing_url,
    playwright,
    portal,
    visitors,
)
from tests.browser.stage import Stage
from tests.cli.process import Served
from tests.mail.conftest import OpenOffice, open_office  # noqa: F401 - the fixture
from tests.mail.sink import Sink


@pytest.fixture(scope="session", autouse=True)
def auditors() -> None:
    """Without the auditors, each test here is skipped by name."""
    if not are_installed():
        pytest.skip("no auditors here: `make audit` installs and runs them")


@pytest.fixture(scope="module")
def answers(browser: Browser, portal: Served, failing_url: str) -> dict[str, str]:  # noqa: F811 - fixtures
    """Save the HTML of every state in the catalogue, as the server sends it."""
    with visitors(browser, portal.url) as new_visitor:
        visitor = new_visitor()
        stage = Stage(visitor, portal.log.parent / "instance", portal.url, failing_url)
        html: dict[str, str] = {}
        for name, reach in STATES.items():
            reach(stage)
            if visitor.page.url != "about:blank":  # this page is an email
                assert visitor.answer is not None
                html[name] = visitor.answer.text()
        return html


@pytest.fixture
def letters(open_office: OpenOffice) -> Iterator[dict[str, bytes]]:  # noqa: F811 - a fixture
    """Save every email in every language, as a portal at a public address delivers it."""
    with Sink() as sink:
        mail_portal = open_office(sink, BASE_URL="https://portal.example.com", MAIL_DEFAULT_SENDER="portal@example.com")
        kinds = [(notice, language) for notice in Notice for language in Languages().tags]
        for notice, language in kinds:
            mail_portal.queue("ada@example.com", notice, locale=language)
        assert mail_portal.work() == 0, "the mail server was not reached"
        yield {
            f"{notice}-{language}": mail.raw
            for (notice, language), mail in zip(kinds, sink.wait_for(len(kinds)), strict=True)
        }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home folder for an auditor."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
