"""Two portals share one PostgreSQL and one Redis, and their keys are changed."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest

from portal import create_app
from portal.app import context_of
from portal.mail.worker import MailWorker
from portal.settings import load_settings
from tests.cli.process import Served, environment, serving
from tests.conftest import SECRET_KEY
from tests.mail.sink import ReceivedMail, Sink
from tests.servers.redis import PATIENT_PORTAL, Redis
from tests.servers.reusable_database import ReusableDatabase
from tests.web.conftest import PASSWORD
from tests.web.post import code_in, link_in
from tests.web.test_served import Visitor

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
NEXT_KEY = "Hm4tZc8qWd1xRv6kPj9bLs3nYg7f"
Keys = Mapping[str, str]
OLD: Keys = {"SECRET_KEY": SECRET_KEY}
NEXT_KNOWN: Keys = {"SECRET_KEY": SECRET_KEY, "SECRET_KEY_FALLBACKS": NEXT_KEY}
NEW: Keys = {"SECRET_KEY": NEXT_KEY, "SECRET_KEY_FALLBACKS": SECRET_KEY}


class Machines:
    """The machines of one portal, each with the keys of its last start."""

    def __init__(self, folder: Path, settings: Mapping[str, str], sink: Sink) -> None:
        self._folder = folder
        self._settings = settings
        self._sink = sink
        self._running: dict[str, ExitStack] = {}

    def start(self, name: str, keys: Keys) -> Served:
        """Run `portal serve` on a machine, in place of the process before."""
        self._running.pop(name, ExitStack()).close()
        self._running[name] = ExitStack()
        return self._running[name].enter_context(
            serving(self._folder / name / "instance", program=PATIENT_PORTAL, **{**self._settings, **keys})
        )

    def stop(self) -> None:
        for portal in self._running.values():
            portal.close()

    def deliver(self, keys: Keys) -> ReceivedMail:
        """The email that was requested last, sent by a worker with some keys; it overtakes notices of sign-ins."""
        app = create_app(load_settings(environment(self._folder / "worker", **{**self._settings, **keys})))
        assert MailWorker(app).work(Event()) == 0
        context_of(app).hasher._pool.shutdown()
        context_of(app).database.engine.dispose()
        return [mail for mail in self._sink.messages if not mail["Subject"].startswith("New sign-in")][-1]


@pytest.fixture
def machines(tmp_path: Path, reusable_database: ReusableDatabase, broken_redis: Redis) -> Iterator[Machines]:
    with Sink() as sink:
        settings = {
            "DATABASE_URL": reusable_database.wipe().url,
            "RATELIMIT_STORAGE_URI": broken_redis.uri,
            "MAIL_SERVER": sink.host,
            "MAIL_PORT": str(sink.port),
            "LOGIN_LIMIT_ACCOUNT": "4 per hour",
            "MAIL_LIMIT_ADDRESS": "100 per hour",
            "ARGON2_TIME_COST": "1",
            "ARGON2_MEMORY_KIB": "8",
        }
        machines = Machines(tmp_path, settings, sink)
        yield machines
        machines.stop()


def join(machines: Machines, portal: Served, keys: Keys) -> None:
    """Register and confirm a customer."""
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    customer = Visitor(portal)
    assert customer.fill("/register", **typed)[0] == 302
    assert customer.fill(path_in(machines.deliver(keys)))[:2] == (302, "/account")


def path_in(mail: ReceivedMail) -> str:
    return urlsplit(link_in(mail)).path


def go_to_and_fro(machines: Machines, one: Served, other: Served, *keys_of_workers: Keys) -> None:
    """Do what customers do, with requests that alternate between the portals; either may send their emails."""
    customer = Visitor(one)
    assert customer.fill("/login", email=EMAIL, password=PASSWORD)[:2] == (302, "/account")
    assert is_signed_in(customer, other, one)
    for keys in keys_of_workers:
        for use_code in (True, False):
            customer = Visitor(one)
            form = customer.open("/login/link")
            customer.go_to(other)
            assert customer.send("/login/link", form, email=EMAIL)[:2] == (302, "/login/code")
            mail = machines.deliver(keys)
            customer.go_to(one)
            if use_code:
                assert customer.fill("/login/code", code=code_in(mail))[:2] == (302, "/account")
            else:
                assert customer.fill(path_in(mail))[:2] == (302, "/account")
            assert is_signed_in(customer, other, one)


def is_signed_in(customer: Visitor, *portals: Served) -> bool:
    pages = []
    for portal in portals:
        customer.go_to(portal)
        pages.append(customer.ask("GET", "/account")[2])
    return all(EMAIL in page for page in pages)


def test_two_portals_share_limits_forms_and_customers(machines: Machines) -> None:
    one, other = machines.start("one", OLD), machines.start("other", OLD)
    join(machines, one, OLD)
    go_to_and_fro(machines, one, other, OLD)
    go_to_and_fro(machines, other, one, OLD)
    guesses = [
        Visitor(served).fill("/login", email=EMAIL, password=f"wrong {number}")[0]
        for number, served in enumerate([one, other] * 3)
    ]
    assert guesses == [422] * 4 + [429] * 2
    assert one.complaints() == other.complaints() == []


@pytest.mark.full
def test_rotating_the_secret_key_machine_by_machine_signs_no_one_out(machines: Machines) -> None:
    """As in docs/operations.md: every machine verifies with the next key before the first one signs with it."""
    one, other = machines.start("one", NEXT_KNOWN), machines.start("other", OLD)
    join(machines, other, OLD)
    lasting, entering = Visitor(other), Visitor(other)
    assert lasting.fill("/login", email=EMAIL, password=PASSWORD, remember="y")[0] == 302
    form = entering.open("/password/reset")
    assert Visitor(other).fill("/password/reset", email=EMAIL)[0] == 302
    link = path_in(machines.deliver(OLD))
    go_to_and_fro(machines, one, other, NEXT_KNOWN, OLD)
    go_to_and_fro(machines, other, one, NEXT_KNOWN, OLD)

    other = machines.start("other", NEXT_KNOWN)
    one = machines.start("one", NEW)
    assert is_signed_in(lasting, one, other)
    go_to_and_fro(machines, one, other, NEW, NEXT_KNOWN)
    go_to_and_fro(machines, other, one, NEW, NEXT_KNOWN)

    other = machines.start("other", NEW)
    assert is_signed_in(lasting, one, other)
    go_to_and_fro(machines, one, other, NEW)
    entering.go_to(other)
    assert entering.send("/password/reset", form, email=EMAIL)[0] == 302
    assert Visitor(other).fill(link, password=SECOND)[:2] == (302, "/account")
    assert one.complaints() == other.complaints() == []
