"""Kills at random while customers come and go: `make soak`, and a short form of it in the tests."""

import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Generic, TypeVar

from portal.settings import DATABASE_FILE
from portal.storage.database import Database, open_database
from tests.cli.process import Served, run_portal, serving_at, wait_until, working
from tests.conftest import SECRET_KEY
from tests.faults.invariants import breaches, is_settled
from tests.faults.journal import Customer, Journal
from tests.faults.process_death import end_leases
from tests.mail.sink import Sink
from tests.servers.postgres import Postgres
from tests.servers.processes import free_port, give_children_default_signals
from tests.servers.redis import Redis

T = TypeVar("T")
CUSTOMERS = 4
"""Customers at the same time."""
ROOMY = {
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "8",
    "LOG_FORMAT": "json",
    **dict.fromkeys(
        (
            "LOGIN_LIMIT_ACCOUNT",
            "LOGIN_LIMIT_NETWORK",
            "REGISTER_LIMIT_NETWORK",
            "MAIL_LIMIT_ADDRESS",
            "MAIL_LIMIT_NETWORK",
        ),
        "1000000 per hour",
    ),
}


class Program(Generic[T]):
    """A process that is killed and restarted."""

    def __init__(self, begin: Callable[[], AbstractContextManager[T]]) -> None:
        self._begin = begin
        self._running = ExitStack()

    def start(self) -> T:
        """Return when it is ready."""
        return self._running.enter_context(self._begin())

    def kill(self) -> None:
        """Kill it with SIGKILL, and the processes that it has started."""
        self._running.close()


@dataclass(frozen=True)
class Portal:
    """The processes of one portal: first the one that serves, last the one that delivers emails."""

    served: Served
    """The first command; the port never changes."""
    database: Database
    programs: Sequence[Program[Any]]
    logs: Sequence[Path]


@contextmanager
def embedded(folder: Path, sink: Sink) -> Iterator[Portal]:
    """One process on SQLite."""
    instance, port = folder / "private" / "instance", free_port()
    settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **ROOMY}
    server = Program(lambda: serving_at(port, instance, **settings))
    url = f"sqlite:///{instance / DATABASE_FILE}"
    with _running(url, server, None, [instance.parent / f"{port}.log"]) as portal:
        yield portal


@contextmanager
def spread(folder: Path, sink: Sink, postgres: Postgres, redis: Redis) -> Iterator[Portal]:
    """A server and a worker on PostgreSQL and Redis."""
    instance, port = folder / "private" / "instance", free_port()
    url = postgres.new_database("soak")
    settings = {
        "BASE_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": url,
        "RATELIMIT_STORAGE_URI": redis.uri,
        "SECRET_KEY": SECRET_KEY,
        "MAIL_SERVER": sink.host,
        "MAIL_PORT": str(sink.port),
        **ROOMY,
    }
    instance.mkdir(parents=True)
    assert run_portal(instance, "db", "upgrade", **settings).returncode == 0
    log = instance.parent / "worker.log"
    server = Program(lambda: serving_at(port, instance, **settings))
    worker = Program(lambda: working(log, instance, **settings))
    with _running(url, server, worker, [instance.parent / f"{port}.log", log]) as portal:
        yield portal


@contextmanager
def _running(url: str, server: Program[Served], worker: Program[Any] | None, logs: Sequence[Path]) -> Iterator[Portal]:
    programs: list[Program[Any]] = [server, worker] if worker else [server]
    database = open_database(url)
    try:
        served, *_ = [program.start() for program in programs]
        yield Portal(served, database, programs, logs)
    finally:
        for program in programs:
            program.kill()
        database.engine.dispose()


def kill_at_random(portal: Portal, sink: Sink, kills: int) -> tuple[Journal, list[str]]:
    """Kill a portal, or one of its processes, a number of times while customers use it; return the journals and the
    violated invariants.

    The leases of a killed worker end at once, so that there is more to kill.
    """
    moments = random.Random()  # noqa: S311 - when it is killed is no secret
    journal, ended, interrupted = Journal(), Event(), Counter[str]()
    customers = [
        Thread(target=Customer(journal, sink, portal.served, ended).run, name=f"customer {number}")
        for number in range(CUSTOMERS)
    ]
    for customer in customers:
        customer.start()
    try:
        for _ in range(kills):
            time.sleep(moments.uniform(0.02, 1.5))
            victims = moments.sample(portal.programs, moments.randint(1, len(portal.programs)))
            for program in victims:
                program.kill()
            if portal.programs[-1] in victims:
                with portal.database.write() as connection:
                    interrupted.update(end_leases(connection))
            for program in victims:
                program.start()
    except BaseException:
        journal.closed.set()  # no request is answered after this
        raise
    finally:
        ended.set()
        for customer in customers:
            customer.join()
    wait_until(lambda: is_settled(portal.database))
    return journal, breaches(journal, sink, portal.served, portal.database, portal.logs, interrupted)


def main() -> None:
    """Run `python -m tests.faults.kills 500`: half of the kills on each kind of portal; exit status 1 if anything was
    lost.
    """
    give_children_default_signals()
    kills = int(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before it was through"))  # no process is left behind
    found: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="portal-soak-")))
        found += _soak("SQLite", folder / "sqlite", embedded, kills - kills // 2)
        postgres, redis = stack.enter_context(Postgres()), stack.enter_context(Redis())
        on_servers = partial(spread, postgres=postgres, redis=redis)
        found += _soak("PostgreSQL and Redis", folder / "postgresql", on_servers, kills // 2)
    print("Something was lost." if found else "Nothing was lost.")
    sys.exit(1 if found else 0)


def _soak(
    name: str, folder: Path, begin: Callable[[Path, Sink], AbstractContextManager[Portal]], kills: int
) -> list[str]:
    folder.mkdir()
    with Sink() as sink, begin(folder, sink) as portal:
        journal, found = kill_at_random(portal, sink, kills)
    told = sum(story.registered for story in journal.stories)
    used = sum(len(story.used_links) for story in journal.stories)
    print(f"{name}: {kills} kills, {told} customers registered, {used} links used")
    for breach in found:
        print(f"LOST: {breach}")
    return found


if __name__ == "__main__":
    main()
