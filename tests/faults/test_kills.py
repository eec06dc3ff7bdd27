"""F6, F11, F24: the portal is killed at random under its customers' hands, and nothing they were told is lost."""

from pathlib import Path

from tests.faults.kills import CUSTOMERS, kill_at_random

KILLS = 10


def test_kills_at_random_lose_nothing(tmp_path: Path) -> None:
    journal, breaches = kill_at_random(tmp_path, KILLS)
    assert breaches == []
    assert len(journal.stories) >= CUSTOMERS
    assert sum(len(story.used_links) for story in journal.stories) >= CUSTOMERS
