"""The disk of PostgreSQL's data is full: reads keep working, nothing that was answered is lost, and it recovers."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.disk import Disk
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.reusable_database import ReusableDatabase
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page

pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]

EMAIL = "ada@example.com"
TRIES = 400
"""More registrations than fit into the pages that the tables have."""


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    # Not in pytest's folder, which the server's user may be unable to enter.
    with tempfile.TemporaryDirectory(prefix="portal-disk-") as folder:
        Path(folder).chmod(0o755)
        with Disk(Path(folder) / "disk", mebibytes=120) as disk:
            yield disk


@pytest.fixture(scope="module")
def server(disk: Disk) -> Iterator[Postgres]:
    with Postgres(disk.path / "data") as server:
        yield server


@pytest.fixture(scope="module")
def reusable_database(server: Postgres) -> Iterator[ReusableDatabase]:
    """A database on a disk that the test fills, in place of the shared one."""
    with closing(ReusableDatabase(server)) as reusable_database:
        yield reusable_database


@pytest.fixture
def site(start: Start) -> Site:
    return start(REGISTER_LIMIT_NETWORK="100000 per hour", MAIL_LIMIT_NETWORK="100000 per hour")


def test_with_a_full_disk_reads_keep_working_and_committed_data_stays(site: Site, disk: Disk) -> None:
    signed_in, browser = site.customer(EMAIL), site.browser()
    form = browser.open("/register").form()
    typed = {"password": PASSWORD, "first_name": "B", "last_name": "B"}
    disk.fill()
    pages = [browser.post(form, {"email": "a0@example.com", **typed})]
    while pages[-1].status == 302 and len(pages) < TRIES:
        pages.append(browser.post(form, {"email": f"a{len(pages)}@example.com", **typed}))
    told = [EMAIL, *(f"a{number}@example.com" for number in range(len(pages) - 1))]
    assert_error_page(pages[-1], 503)
    assert pages[-1].headers["Retry-After"]
    assert signed_in.is_signed_in
    assert [browser.send(path).status for path in ("/login", "/healthz", "/readyz")] == [200] * 3
    disk.empty()
    wait_until(lambda: browser.post(form, {"email": "last@example.com", **typed}).status == 302, "there is room again")
    told.append("last@example.com")
    assert sorted(row["email"] for row in site.rows()["registration"]) == sorted(told)
    assert {mail["To"] for mail in site.mails()} == set(told)
