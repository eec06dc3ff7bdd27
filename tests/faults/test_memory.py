"""A process that cannot allocate more memory."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from portal.domain.passwords.hashing import MAX_QUEUED_HASHES
from portal.threads import CORES
from tests.api.platform_errors import assert_platform_error
from tests.api.shop import new_shop
from tests.cli.process import PATIENCE_SECONDS, PORTAL, Served, environment, serving
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page
from tests.web.test_served import Visitor

pytestmark = [pytest.mark.on_sqlite, pytest.mark.full]

EMAIL = "ada@example.com"
HASH_KIB = 256 * 1024
COSTLY = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": str(HASH_KIB)}
ROOM = HASH_KIB * 1024 // 2
"""Bytes: too few for a hash, and enough for everything else."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served") / "instance", **COSTLY) as served:
        yield served


def status_of(pid: int) -> dict[str, str]:
    """Return what the kernel reports of a process."""
    return dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


@contextmanager
def short_of_memory(pid: int) -> Iterator[None]:
    """Allow a process only a little more memory than it has."""
    limit = int(status_of(pid)["VmSize"].split()[0]) * 1024 + ROOM
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, (hard, hard))


def test_a_request_out_of_memory_is_a_503_and_all_others_are_served(served: Served) -> None:
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    with short_of_memory(served.process.pid):
        for path in ("/register", "/login"):
            assert Visitor(served).fill(path, **typed)[0] == 503
        assert Visitor(served).ask("GET", "/register")[0] == 200
        assert Visitor(served).fill("/password/reset", email=EMAIL)[0] == 302
    assert Visitor(served).fill("/register", **typed)[0] == 302
    assert served.process.poll() is None
    assert served.complaints() == []


def test_all_threads_start_with_the_server(served: Served) -> None:
    """A thread that is started later may be refused, which would end the loop of the server."""
    before = status_of(served.process.pid)["Threads"]
    for _ in range(3):
        assert Visitor(served).ask("GET", "/login")[0] == 200
    assert status_of(served.process.pid)["Threads"] == before
    assert int(before) > CORES + MAX_QUEUED_HASHES, "pages that need no hash do not wait for those that do"


def test_every_endpoint_out_of_memory_is_a_503_with_retry_after(site: Site) -> None:
    site.customer(EMAIL)
    shop, browser = new_shop(site), site.browser()
    form, engine = browser.open("/login").form(), site.context.database.engine
    event.listen(engine, "checkout", run_short)
    try:
        page = browser.post(form, {"email": EMAIL, "password": PASSWORD})
        assert_error_page(page, 503)
        assert page.headers["Retry-After"] == "2"
        assert_platform_error(shop.post("login", email=EMAIL, password=PASSWORD), 503)
    finally:
        event.remove(engine, "checkout", run_short)
    assert browser.post(form, {"email": EMAIL, "password": PASSWORD}).status == 302


def run_short(*_arguments: object) -> None:
    raise MemoryError


@pytest.mark.parametrize("command", ["serve", "check"])
def test_argon2_parameters_that_exceed_the_memory_are_refused_at_start(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        ["sh", "-c", 'ulimit -v 2000000; exec "$0" "$@"', PORTAL, command],
        env=environment(tmp_path / "private" / "instance", ARGON2_MEMORY_KIB=str(4 * 1024 * 1024)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert "PORTAL_ARGON2_MEMORY_KIB: is more than the free memory of this machine; set it lower\n" in done.stderr
    assert "Traceback" not in done.stderr
