"""No email is lost when the mail server is away, or when the portal is killed twice during delivery."""

import signal
from collections import defaultdict
from pathlib import Path

import pytest

from portal.settings import DATABASE_FILE
from portal.storage.database import open_database
from tests.cli.process import Served, serving_at, wait_until
from tests.faults.process_death import end_leases
from tests.mail.sink import Sink
from tests.servers.processes import free_port
from tests.web.post import link_in
from tests.web.test_served import Visitor

pytestmark = pytest.mark.full

MAILS = 40
ROOMY = {
    "ARGON2_TIME_COST": "1",
    "ARGON2_MEMORY_KIB": "8",
    "REGISTER_LIMIT_NETWORK": "1000 per hour",
    "MAIL_LIMIT_NETWORK": "1000 per hour",
}


def kill(served: Served, instance: Path) -> None:
    """Kill all processes of a portal, and expire the lease of the email that it had claimed."""
    served.signal_group(signal.SIGKILL)
    served.process.wait()
    database = open_database(f"sqlite:///{instance / DATABASE_FILE}")
    with database.write() as connection:
        end_leases(connection)
    database.engine.dispose()


def test_a_mail_server_outage_and_two_kills_lose_no_mail_of_40(tmp_path: Path) -> None:
    instance = tmp_path / "private" / "instance"
    sink = Sink()
    sink.port = free_port()
    settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **ROOMY}
    port = free_port()  # the signature of links starts with it, and both copies of an email have the same link
    recipients = [f"customer{number}@example.com" for number in range(MAILS)]
    with serving_at(port, instance, **settings) as served:
        for email in recipients:
            typed = {"email": email, "password": "six calm geese honk", "first_name": "Ada", "last_name": "Quill"}
            assert Visitor(served).fill("/register", **typed)[0] == 302
        sink.start()
        wait_until(lambda: len(sink.messages) >= 3)
        kill(served, instance)
    with serving_at(port, instance, **settings) as served:
        before = len(sink.messages)
        wait_until(lambda: len(sink.messages) >= min(MAILS - 5, before + 3))
        kill(served, instance)
    try:
        with serving_at(port, instance, **settings):
            arrived: dict[str, set[tuple[str, str]]] = defaultdict(set)

            def all_are_there() -> bool:
                for message in sink.messages:
                    arrived[message["To"]].add((message["Message-ID"], link_in(message)))
                return len(arrived) == MAILS

            wait_until(all_are_there)
    finally:
        sink.stop()
    assert set(arrived) == set(recipients)
    # An email may arrive twice (RFC 1047), but then it is the same one, with the same link.
    assert [len(copies) for copies in arrived.values()] == [1] * MAILS
