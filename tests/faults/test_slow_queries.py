"""A query takes too long: its request is answered in time with an error, and all others go on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest
from sqlalchemy import event

from tests.cli.process import serving
from tests.cli.test_metrics import scrape
from tests.conftest import SECRET_KEY
from tests.servers.postgres import Postgres
from tests.servers.processes import free_port, wait_until
from tests.servers.reusable_database import ReusableDatabase
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page
from tests.web.test_served import CHEAP, Visitor

pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]

EMAIL, OTHER = "ada@example.com", "eve@example.com"
AT_ONCE = 8
LONG_SECONDS = 10
"""A longer time means that the request waited for several statements, one after another."""


@contextmanager
def slow(postgres: Postgres, statement: str) -> Iterator[None]:
    """Lock a table, so that a query takes as long as one without an index on a large table."""
    with closing(postgres.connect("reusable_database")) as connection, connection.transaction():
        connection.execute(statement.encode())
        yield


def asked(works: Sequence[Callable[[], Page]], meanwhile: Callable[[], None]) -> list[Page]:
    """Return the responses to many parallel requests, while something else happens."""
    pages: list[Page] = []
    threads = [Thread(target=lambda work=work: pages.append(work()), daemon=True) for work in works]
    begun = monotonic()
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join(LONG_SECONDS)
    assert len(pages) == len(works), "no answer came"
    assert monotonic() - begun < LONG_SECONDS
    return pages


ASKING: dict[str, Callable[[Browser], Page]] = {
    "identity": lambda browser: browser.send("/account"),
    "registration": lambda browser: browser.sign_in(EMAIL, PASSWORD),
    "event": lambda browser: browser.sign_in(EMAIL, "wrong"),
    "outbox": lambda browser: browser.ask_for_reset(f"{id(browser)}@example.com"),
}


@pytest.mark.parametrize("table", ["identity", "registration", "event", "outbox"])
def test_a_slow_table_is_a_503_only_for_requests_that_need_it(site: Site, postgres: Postgres, table: str) -> None:
    browsers = [site.customer(EMAIL), *(site.browser(f"192.0.2.{number}") for number in range(AT_ONCE))]
    stranger = site.browser()

    def others_go_on() -> None:
        assert stranger.send("/healthz").status == stranger.send("/readyz").status == 200
        assert stranger.open("/login").status == stranger.open("/register").status == 200

    asking = browsers[:1] * AT_ONCE if table == "identity" else browsers[1:]
    with slow(postgres, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        pages = asked([partial(ASKING[table], browser) for browser in asking], others_go_on)
        for page in pages:
            assert_error_page(page, 503)
            assert 0 < int(page.headers["Retry-After"]) <= 60
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_a_locked_account_row_delays_no_other_customer(site: Site, postgres: Postgres) -> None:
    site.customer(EMAIL)
    site.customer(OTHER)
    guessers = [site.browser(f"192.0.2.{number}") for number in range(AT_ONCE)]

    def others_go_on() -> None:
        assert site.browser().sign_in(OTHER, "wrong").status == 422
        assert site.browser().sign_in(OTHER, PASSWORD).status == 302

    with slow(postgres, "SELECT id FROM contact WHERE email = 'ada@example.com' FOR UPDATE"):
        works = [partial(browser.sign_in, EMAIL, "wrong") for browser in guessers]
        for page in asked(works, others_go_on):
            assert_error_page(page, 503)
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_requests_do_not_wait_for_each_other_while_organisations_cannot_be_loaded(
    start: Start, site: Site, postgres: Postgres
) -> None:
    site.customer(EMAIL)
    fresh = start()  # the portal has not read them yet
    with slow(postgres, "LOCK TABLE organisation IN ACCESS EXCLUSIVE MODE"):
        works = [lambda: fresh.browser().send("/login")] * AT_ONCE
        pages = asked(works, lambda: None)
    assert [page.status for page in pages] == [200] * AT_ONCE  # it queries no customer, so it is shown without a name
    assert fresh.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_a_page_queries_no_slow_table_twice(site: Site, postgres: Postgres) -> None:
    customer = site.customer(EMAIL)
    with slow(postgres, "LOCK TABLE identity IN ACCESS EXCLUSIVE MODE"), site.statements() as statements:
        assert_error_page(customer.send("/account"), 503)
    assert len(statements) == 1


def test_a_page_queries_unloaded_organisations_once(start: Start, site: Site, postgres: Postgres) -> None:
    fresh = start()
    asked_for: list[str] = []
    event.listen(
        fresh.context.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_rest: asked_for.append(statement),
    )
    with slow(postgres, "LOCK TABLE organisation IN ACCESS EXCLUSIVE MODE"):
        assert fresh.browser().send("/login").status == 200
    assert len(asked_for) == 1


def test_a_metrics_scrape_omits_a_slow_count_and_uses_one_connection(
    tmp_path: Path, postgres: Postgres, reusable_database: ReusableDatabase
) -> None:
    port = free_port()
    settings = {
        "DATABASE_URL": reusable_database.wipe().url,
        "SECRET_KEY": SECRET_KEY,
        "METRICS_PORT": str(port),
        **CHEAP,
    }
    with serving(tmp_path / "private" / "instance", **settings) as served:
        assert scrape(port)["portal_outbox_mails"] == 0
        with slow(postgres, "LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE"):
            found: list[dict[str, float]] = []
            scrapes = [Thread(target=lambda: found.append(scrape(port))) for _ in range(60)]
            for scraping in scrapes:
                scraping.start()
            asking: list[int] = []

            def one_asks() -> bool:
                asking.append(waiting(postgres))
                return asking[-1] > 0

            wait_until(one_asks, "one asks")
            asking.append(waiting(postgres))
            assert max(asking) == 1
            assert Visitor(served).fill("/login", email=EMAIL, password="wrong")[0] == 422
            for scraping in scrapes:
                scraping.join(LONG_SECONDS)
            assert len(found) == len(scrapes)
            last = scrape(port)
        assert "portal_outbox_mails" not in last
        assert last['portal_requests_total{method="GET",route="/login",status="200"}'] == 1
        wait_until(lambda: scrape(port).get("portal_outbox_mails") == 0, "it is told again")


def waiting(postgres: Postgres) -> int:
    """Count the portal's connections that wait for a table."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portal' AND wait_event_type = 'Lock'"
    with closing(postgres.connect("reusable_database")) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])
