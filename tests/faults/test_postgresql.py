"""PostgreSQL is stopped, restarted, frozen, full, read-only, or unreachable."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import pytest
from sqlalchemy import event

from tests.cli.process import run_portal
from tests.conftest import SECRET_KEY
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.proxy import Proxy
from tests.servers.reusable_database import ReusableDatabase
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page

pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]

EMAIL = "ada@example.com"
PATIENCE_SECONDS = 25
"""The time after which a response is taken never to come. With a statement's timeout for each request it would take
longer.
"""
CONNECTIONS = 12
T = TypeVar("T")
Mend = Callable[[], object]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    # The server will crash, and must lose nothing by it.
    settings = {"max_connections": str(CONNECTIONS), "superuser_reserved_connections": "2", "synchronous_commit": "on"}
    with Postgres(**settings) as server:
        with server.connect() as connection:
            connection.execute("CREATE ROLE portal LOGIN")  # which gets no reserved connection
        yield server


@pytest.fixture(scope="module")
def reusable_database(server: Postgres) -> Iterator[ReusableDatabase]:
    """A database on a server that the test may break, in place of the shared one."""
    with closing(ReusableDatabase(server)) as reusable_database:
        yield reusable_database


@pytest.fixture
def site(start: Start, reusable_database: ReusableDatabase, server: Postgres) -> Site:
    grant(server)
    roomy = dict.fromkeys(("MAIL_LIMIT_ADDRESS", "MAIL_LIMIT_NETWORK", "LOGIN_LIMIT_ACCOUNT"), "1000 per hour")
    return start(DATABASE_URL=reusable_database.url.replace("postgres@", "portal@"), **roomy)


def stop(server: Postgres, _stack: ExitStack) -> Mend:
    server.stop()
    return server.start


def freeze(server: Postgres, _stack: ExitStack) -> Mend:
    server.freeze()
    return server.thaw


def use_up_connections(server: Postgres, stack: ExitStack) -> Mend:
    # These are the portal's first connections: it must not work with those it had.
    with server.connect() as connection:
        end_connections = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'portal'"
        connection.execute(end_connections)
    for _ in range(CONNECTIONS - 2):
        with_stack(stack, server)
    return stack.close


def with_stack(stack: ExitStack, server: Postgres) -> None:
    try:
        stack.enter_context(server.connect())
    except Exception:  # noqa: BLE001 - there are no connections left: the reusable_database and the tests have some, too
        return


def refuse_writes(server: Postgres, _stack: ExitStack) -> Mend:
    set_read_only(server, "on")
    return lambda: set_read_only(server, "off")


def set_read_only(server: Postgres, value: str) -> None:
    with server.connect() as connection:
        connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: shown(server) == value, "the setting is taken up")


def shown(server: Postgres) -> str:
    with server.connect() as connection:
        row = connection.execute("SHOW default_transaction_read_only").fetchone()
        assert row is not None
        return str(row[0])


def take_rights(server: Postgres, _stack: ExitStack) -> Mend:
    execute(server, "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM portal")
    return lambda: grant(server)


def grant(server: Postgres) -> None:
    execute(
        server,
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO portal",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO portal",
    )


def execute(server: Postgres, *statements: str) -> None:
    with closing(server.connect("reusable_database")) as connection:
        for statement in statements:
            connection.execute(statement.encode())


Break = Callable[[Postgres, ExitStack], Mend]
BREAKS: list[Break] = [stop, freeze, use_up_connections, refuse_writes, take_rights]


def patiently(do: Callable[[], T]) -> T:
    """Return the response, if it comes."""
    answers: list[T] = []
    thread = Thread(target=lambda: answers.append(do()), daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert answers, "no answer came"
    return answers[0]


@pytest.mark.parametrize("break_it", BREAKS)
def test_an_unavailable_database_is_a_503_until_it_is_back(site: Site, server: Postgres, break_it: Break) -> None:
    signed_in, browser = site.customer(EMAIL), site.browser()
    login, register = browser.open("/login").form(), browser.open("/register").form()
    typed = {"email": "bob@example.com", "password": PASSWORD, "first_name": "B", "last_name": "B"}
    before = site.rows()

    with ExitStack() as stack:
        mend = break_it(server, stack)
        try:
            tried = [(login, {"email": EMAIL, "password": PASSWORD}), (register, typed)] * 8
            for page in patiently(lambda: [browser.post(form, fields) for form, fields in tried]):
                assert_error_page(page, 503)
                assert 0 < int(page.headers["Retry-After"]) <= 60
            assert patiently(lambda: browser.send("/healthz")).status == 200
            assert patiently(lambda: browser.send("/readyz")).status == 503
            if break_it is not refuse_writes:  # reads keep working
                assert patiently(lambda: signed_in.send("/account")).status == 503
        finally:
            mend()

    wait_until(lambda: browser.send("/readyz").status == 200, "the portal is ready again")
    wait_until(lambda: browser.post(login, {"email": EMAIL, "password": PASSWORD}).status == 302, "signing in works")
    assert signed_in.is_signed_in
    after = site.rows()
    after["outbox"] = [row for row in after["outbox"] if row["notice"] != "new_sign_in"]
    tables = ("contact", "registration", "outbox")
    assert [len(after[table]) for table in tables] == [len(before[table]) for table in tables]


def test_a_command_names_the_missing_database_privilege(site: Site, server: Postgres, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": site.settings.database_url, "SECRET_KEY": SECRET_KEY}
    with ExitStack() as stack:
        stack.callback(take_rights(server, stack))
        ended = run_portal(tmp_path / "instance", "organisation", "list", **settings)
    assert ended.returncode == 1
    assert ended.stderr == "Error: The database cannot be used: permission denied for table organisation.\n"


def test_check_reports_a_standby_database(site: Site, server: Postgres, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": site.settings.database_url, "SECRET_KEY": SECRET_KEY}
    with ExitStack() as stack:
        stack.callback(refuse_writes(server, stack))
        ended = run_portal(tmp_path / "instance", "check", **settings)
    assert ended.returncode == 1
    assert "DATABASE_URL: accepts no writes" in ended.stdout


def test_a_restart_between_two_requests_causes_no_error(site: Site, server: Postgres) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()
    server.stop()
    server.start()
    assert browser.post(form, {"email": EMAIL, "password": PASSWORD}).status == 302


@pytest.mark.parametrize("table", ["contact", "registration", "link", "outbox", "event"])
def test_a_connection_lost_in_a_transaction_leaves_nothing(site: Site, server: Postgres, table: str) -> None:
    engine = site.context.database.engine
    form = site.browser().open("/register").form()
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    cut: list[int] = []

    def cut_off(_connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if f"INSERT INTO {table} " in statement and not cut:
            cut.append(cursor.connection.info.backend_pid)
            with server.connect() as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", cut)

    before = site.rows()
    browser = site.browser()
    form = browser.open("/register").form()
    event.listen(engine, "after_cursor_execute", cut_off)
    assert_error_page(browser.post(form, typed), 503)
    event.remove(engine, "after_cursor_execute", cut_off)
    assert cut
    assert site.rows() == before
    assert browser.post(form, typed).status == 302
    assert len(site.mails(EMAIL)) == 1


def test_a_request_can_be_retried_after_a_lost_answer_to_commit(
    start: Start, site: Site, reusable_database: ReusableDatabase, server: Postgres
) -> None:
    with Proxy(server.port) as proxy:
        far = start(DATABASE_URL=reusable_database.url.replace(f":{server.port}/", f":{proxy.port}/"))
        browser = far.browser()
        form = browser.open("/register").form()
        typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        proxy.lose_answer_to(b"COMMIT\0")
        assert_error_page(browser.post(form, typed), 503)
        assert proxy.lost == 1
        wait_until(lambda: len(site.rows()["registration"]) == 1, "committed without a response")
        assert browser.post(form, typed).status == 302
        assert len(site.rows()["contact"]) == 1
        assert len(site.mails(EMAIL)) == 2, "each of the two registrations stands by its own link"
        assert browser.fill(site.link(EMAIL)).status == 302
        assert len(site.rows()["account"]) == 1
