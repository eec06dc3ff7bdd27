"""Move the machine's clock together with the monotonic clock of the counters in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
import time_machine

from portal.storage import memory_counters


@contextmanager
def passing_time(begins: float | datetime) -> Iterator[time_machine.Traveller]:
    """A clock that stands still until it is shifted; the monotonic clock moves with it. `time_machine.travel` alone
    would be a clock that is set, while no time passes.
    """
    with time_machine.travel(begins, tick=False) as travel, pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_counters, "monotonic", time.time)
        yield travel
