"""Kills at random while customers come and go: `make soak`, and a short form of it in the tests."""

import random
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from tests.cli.process import Served, free_port, serving_at, wait_until
from tests.faults.journal import Customer, Journal
from tests.faults.oracle import WAITING, breaches
from tests.mail.sink import Sink

CUSTOMERS = 4
"""At a time."""
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


def kill_at_random(folder: Path, kills: int) -> tuple[Journal, list[str]]:
    """Kill the whole portal so many times while customers use it; what they wrote down, and what was lost."""
    instance, port = folder / "private" / "instance", free_port()
    moments = random.Random()  # noqa: S311 - when it is killed is no secret
    journal, ended = Journal(), Event()
    current: list[Served] = []
    with Sink() as sink:
        settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **ROOMY}
        customers = [
            Thread(target=Customer(journal, sink, lambda: current[-1], ended).run, name=f"customer {number}")
            for number in range(CUSTOMERS)
        ]
        for number in range(kills):
            with serving_at(port, instance, **settings) as served:
                current.append(served)
                if number == 0:
                    for customer in customers:
                        customer.start()
                time.sleep(moments.uniform(0.02, 1.5))
                served.signal_group(signal.SIGKILL)
                served.process.wait()
        with serving_at(port, instance, **settings) as served:
            current.append(served)
            ended.set()
            for customer in customers:
                customer.join()
            database = instance / "portal.sqlite3"
            wait_until(lambda: _is_settled(database))
            return journal, breaches(journal, sink, served, database, [served.log])


def _is_settled(database: Path) -> bool:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return bool(connection.execute(WAITING).fetchone()[0] == 0)


def main() -> None:
    """`python -m tests.faults.kills 500`: exit status 1 when anything was lost."""
    kills = int(sys.argv[1])
    with TemporaryDirectory(prefix="portal-soak-") as folder:
        journal, found = kill_at_random(Path(folder), kills)
    told = sum(story.registered for story in journal.stories)
    print(f"{kills} kills, {told} customers registered, {sum(len(s.used_links) for s in journal.stories)} links used")
    for breach in found:
        print(f"LOST: {breach}")
    print("Something was lost." if found else "Nothing was lost.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
