"""Thread pools that start all their threads at once."""

import threading

import pytest

from portal.domain.passwords.hashing import Hasher, Parameters
from portal.threads import started_pool


def running(name: str) -> int:
    return sum(thread.name.startswith(f"{name}_") for thread in threading.enumerate())


def test_all_threads_of_a_pool_run_and_work() -> None:
    with started_pool(5, "early") as pool:
        assert running("early") == 5
        assert list(pool.map(abs, range(-20, 0))) == [*range(20, 0, -1)]
        assert running("early") == 5


def test_a_pool_that_gets_too_few_threads_is_refused_and_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse_the_third(thread: threading.Thread) -> None:
        if thread.name == "refused_2":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_third)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        started_pool(5, "refused")
    for thread in threading.enumerate():
        if thread.name.startswith("refused_"):
            thread.join(20)
    assert running("refused") == 0


def test_hashing_threads_start_before_the_first_password() -> None:
    hasher = Hasher(Parameters(1, 8, 1), parallel=4)
    assert len(hasher._pool._threads) == 4
    hasher._pool.shutdown()
