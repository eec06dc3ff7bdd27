import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Playwright, expect, sync_playwright
from werkzeug.serving import make_server

from portal import create_app
from portal.app import context_of
from portal.domain.errors import Busy
from portal.instance_dir import upgrade_database
from portal.settings import load_settings
from tests.browser.checks import WithoutScript
from tests.browser.chromium import LAUNCH_ARGUMENTS, find_chromium
from tests.browser.visitor import PATIENCE_MS, Visitor
from tests.cli.process import PORTAL, Served, serving_at
from tests.servers.processes import free_port

expect.set_options(timeout=PATIENCE_MS)

LOGIN_TRIES = 3
MAILS = 3
SETTINGS = {
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "8",
    "LOGIN_LIMIT_ACCOUNT": f"{LOGIN_TRIES} per 20 minutes",
    "LOGIN_LIMIT_NETWORK": "10000 per hour",
    "REGISTER_LIMIT_NETWORK": "10000 per hour",
    "MAIL_LIMIT_ADDRESS": f"{MAILS} per hour",
    "MAIL_LIMIT_NETWORK": "10000 per hour",
}

NewVisitor = Callable[..., Visitor]

with_and_without_script = pytest.mark.parametrize(
    "script", [pytest.param(True, id="with script"), pytest.param(False, id="without script", marks=pytest.mark.full)]
)


@pytest.fixture(scope="package")
def chromium() -> str:
    """Return the path of a Chromium; without one, the tests that need it are skipped."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium here, and none could be had")
    return path


# While Playwright is open, its event loop runs in this thread; the scope ends with the package, so that other tests can
# run event loops.
@pytest.fixture(scope="package")
def playwright(chromium: str) -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def browser(chromium: str, playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=LAUNCH_ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Served]:
    with serving_by_name(tmp_path_factory.mktemp("portal") / "instance") as served:
        yield served


@contextmanager
def serving_by_name(instance: Path, program: Sequence[str | Path] = (PORTAL,)) -> Iterator[Served]:
    """Serve a portal as `make run` does, with cheap hashes and other limits, and at a host name: passkeys need one."""
    port = free_port()
    with serving_at(port, instance, program=program, BASE_URL=f"http://localhost:{port}", **SETTINGS) as served:
        served.host = "localhost"
        yield served


@pytest.fixture(scope="package")
def failing_url(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[str]:
    with failing_portal(tmp_path_factory.mktemp("failing")) as url:
        yield url


@contextmanager
def failing_portal(instance: Path) -> Iterator[str]:
    """Serve an unused portal whose /fails raises an error and whose /busy is busy; yield its URL."""
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(instance)})
    upgrade_database(settings)
    app = create_app(settings)

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError("a fault in the code")

    @app.get("/busy")
    def busy() -> str:
        raise Busy(2)

    with serving_here(app) as url:
        yield url
    context = context_of(app)
    context.hasher._pool.shutdown()
    context.database.engine.dispose()


@contextmanager
def serving_here(app: Flask) -> Iterator[str]:
    """Serve an app on a free port in a thread, and yield its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def visitors(browser: Browser, url: str) -> Iterator[NewVisitor]:
    """Yield a function that makes visitors, each with a browser; check afterwards that their pages had no faults."""
    made: list[Visitor] = []

    def new_visitor(**options: Any) -> Visitor:
        at = options.pop("url", url)
        context = options.pop("context", None)  # another tab of a visitor's browser
        if context is None:
            context = browser.new_context(**{"locale": "en-US", "reduced_motion": "reduce"} | options)
        visitor = Visitor(context, at)
        made.append(visitor)
        return visitor

    yield new_visitor
    for visitor in made:
        visitor.context.close()
    assert [fault for visitor in made for fault in visitor.faults] == []


@pytest.fixture
def new_visitor(browser: Browser, portal: Served) -> Iterator[NewVisitor]:
    with visitors(browser, portal.url) as new:
        yield new


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    return new_visitor()


@pytest.fixture(scope="module")
def without_script(browser: Browser, portal: Served) -> Iterator[WithoutScript]:
    """A second browser, which shows the pages of another one without JavaScript."""
    with visitors(browser, portal.url) as new_visitor:
        yield WithoutScript(new_visitor())


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Return the folder for screenshots of all pages; git ignores it."""
    folder = Path(__file__).resolve().parents[2] / ".screenshots"
    folder.mkdir(exist_ok=True)
    return folder
