"""The portal is killed at random while customers use it, and nothing that it answered is lost."""

import threading
from pathlib import Path

import pytest

from tests.faults.kills import CUSTOMERS, Portal, embedded, kill_at_random, spread
from tests.mail.sink import Sink
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

pytestmark = [
    pytest.mark.timeout(900),  # the portal restarts after each kill, and customers wait for it
    pytest.mark.full,
]

KILLS = 5
"""Kills of each kind of portal."""


def test_random_kills_of_a_single_process_lose_nothing(tmp_path: Path) -> None:
    with Sink() as sink, embedded(tmp_path, sink) as portal:
        assert_nothing_is_lost(portal, sink)


def test_random_kills_of_server_and_worker_lose_nothing(tmp_path: Path, postgres: Postgres, redis: Redis) -> None:
    with Sink() as sink, spread(tmp_path, sink, postgres, redis) as portal:
        assert_nothing_is_lost(portal, sink)


def test_the_kill_test_fails_when_the_portal_does_not_restart(tmp_path: Path) -> None:
    with Sink() as sink, embedded(tmp_path, sink) as portal:
        (tmp_path / "private" / "instance" / "portal.toml").write_text("nonsense")
        with pytest.raises(AssertionError, match="did not come up"):
            kill_at_random(portal, sink, KILLS)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("customer")]


def assert_nothing_is_lost(portal: Portal, sink: Sink) -> None:
    journal, breaches = kill_at_random(portal, sink, KILLS)
    assert breaches == []
    assert len(journal.stories) >= CUSTOMERS
    assert sum(len(story.used_links) for story in journal.stories) >= CUSTOMERS
