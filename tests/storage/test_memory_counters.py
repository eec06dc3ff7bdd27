"""Counters in memory: fixed windows from the first hit, and a maximum number of counters."""

from time import time

import pytest
import time_machine

from portal.storage import memory_counters
from portal.storage.memory_counters import MemoryCounters
from tests.domain.instrumentation import in_parallel
from tests.passing_time import passing_time

START = 1_800_000_000


@pytest.fixture
def storage() -> MemoryCounters:
    return MemoryCounters()


def test_a_counter_counts(storage: MemoryCounters) -> None:
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3]
    assert storage.incr("b", 60) == 1
    assert (storage.get("a"), storage.get("b"), storage.get("c")) == (3, 1, 0)


def test_a_window_begins_with_its_first_hit_and_is_not_extended(storage: MemoryCounters) -> None:
    with passing_time(START) as travel:
        storage.incr("a", 60)
        travel.shift(59)
        assert storage.incr("a", 60) == 2
        assert storage.get_expiry("a") == START + 60
        travel.shift(1)
        assert storage.get("a") == 0
        assert storage.incr("a", 60) == 1
        assert storage.get_expiry("a") == START + 120


def test_setting_the_clock_neither_ends_nor_extends_a_window(storage: MemoryCounters) -> None:
    with time_machine.travel(START, tick=False) as travel:
        storage.incr("a", 60)
        for step in (-3600, 7200):
            travel.shift(step)
            assert storage.incr("a", 60, amount=0) == storage.get("a") == 1
            assert 0 < storage.get_expiry("a") - time() <= 60


def test_an_unknown_counter_expires_now(storage: MemoryCounters) -> None:
    with passing_time(START):
        assert storage.get_expiry("a") == START


def test_giving_back_removes_one_hit(storage: MemoryCounters) -> None:
    storage.incr("a", 60)
    storage.incr("a", 60)
    assert storage.incr("a", 60, amount=-1) == 1
    assert storage.get("a") == 1


def test_a_hit_of_an_expired_window_is_not_given_back_to_the_next(storage: MemoryCounters) -> None:
    with passing_time(START) as travel:
        storage.incr("a", 60)
        travel.shift(61)
        assert storage.incr("a", 60, amount=-1) == 0
        assert storage.incr("a", 60) == 1


def test_expired_counters_are_dropped_by_the_next_hit_of_their_span(storage: MemoryCounters) -> None:
    with passing_time(START) as travel:
        for number in range(100):
            storage.incr(f"key {number}", 60)
        storage.incr("hourly", 3600)
        travel.shift(61)
        storage.incr("new", 60)
        assert storage.reset() == 2


def test_a_short_span_does_not_wait_for_a_long_one(storage: MemoryCounters) -> None:
    with passing_time(START) as travel:
        storage.incr("long", 3600)
        storage.incr("short", 60)
        travel.shift(61)
        assert (storage.get("long"), storage.get("short")) == (1, 0)


def test_past_the_bound_the_counters_that_expire_first_go(
    storage: MemoryCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_counters, "MAX_KEYS", 100)
    for number in range(10_000):
        storage.incr(f"key {number}", 60)
        storage.incr(f"key {number}", 60)
    assert storage.get("key 9999") == 2
    assert storage.get("key 9950") == 2
    assert storage.get("key 0") == 0
    assert storage.reset() <= 101


def test_a_counter_can_be_dropped_alone(storage: MemoryCounters) -> None:
    storage.incr("a", 60)
    storage.incr("b", 60)
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    assert storage.check()


def test_parallel_hits_are_all_counted(storage: MemoryCounters) -> None:
    def hit_often() -> list[int]:
        return [storage.incr("a", 60) for _ in range(200)]

    numbers = [number for result in in_parallel([hit_often] * 16) if isinstance(result, list) for number in result]
    assert sorted(numbers) == list(range(1, 3201))
