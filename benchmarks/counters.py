"""Measure the CPU time of counting a sign-in's attempts, with different numbers of keys in the storage."""

from statistics import median
from time import process_time, sleep, thread_time

from limits.storage import MemoryStorage, Storage

from portal.storage.memory_counters import MemoryCounters

LIVE_KEYS = (100, 10_000, 100_000)
_SPAN = 1200
_ROUNDS = 5
_SIGN_INS = 20
_PAUSE = 0.015
"""Between sign-ins: the storage of `limits` scans its keys 10 ms after a hit."""
_COLUMNS = "{:>10} {:>22} {:>22} {:>8}"


def run() -> None:
    """Measure and print."""
    print("Rate limits: CPU µs of counting one sign-in (two hits, both undone).")
    print(_COLUMNS.format("live keys", "portal MemoryCounters", "limits MemoryStorage", "ratio"))
    for keys in LIVE_KEYS:
        ours, theirs = _cost(MemoryCounters(), keys), _cost(MemoryStorage(), keys)
        print(_COLUMNS.format(f"{keys:,}", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.3f}"))


def _cost(storage: Storage, keys: int) -> float:
    """Return the CPU µs of counting one sign-in, as the median of several rounds."""
    for number in range(keys):
        storage.incr(f"account-{number}", _SPAN)
    sleep(0.2)
    return median(_round(storage) for _ in range(_ROUNDS)) / _SIGN_INS * 1e6


def _round(storage: Storage) -> float:
    """Return the CPU seconds of counting some sign-ins: those of this thread's hits and of all other threads."""
    hits = 0.0
    before = process_time() - thread_time()
    for number in range(_SIGN_INS):
        start = thread_time()
        for amount in (1, -1):
            storage.incr("network", _SPAN, amount)
            storage.incr(f"account-{number}", _SPAN, amount)
        hits += thread_time() - start
        sleep(_PAUSE)
    return hits + process_time() - thread_time() - before
