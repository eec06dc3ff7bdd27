"""Measure the CPU time until the first page, and the memory after it, of the portal and of the bare reference."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from benchmarks.instance import Instance
from benchmarks.rows import Measured
from benchmarks.servers import Server, bare_server, portal_server

NAMES = ("start", "memory")
_SETTLE_SECONDS = 1.5
"""Time for what a server does after its start, such as the mail worker's first turn."""


Start = Callable[[], AbstractContextManager[Server]]
"""Starts a server on an instance that has a database, and stops it."""


def measure(instance: Instance, names: Collection[str], rounds: int) -> Mapping[str, Measured]:
    """Measure the named rows of the portal."""
    if not set(NAMES) & set(names):
        return {}
    [measured] = take_turns([partial(portal_server, instance)], partial(bare_server, instance), rounds)
    return {name: found for name, found in measured.items() if name in names}


def take_turns(servers: Sequence[Start], reference: Start, rounds: int) -> list[dict[str, Measured]]:
    """Measure all rows of each server, and of the bare reference in the same rounds."""
    values = []
    for number in range(rounds + 1):
        found = [_start_once(start) for start in (*servers, reference)]
        if number:  # the first round writes the bytecode of all modules
            values.append(found)
    *sites, bare = zip(*values, strict=True)
    return [
        {
            name: Measured([once[index] for once in site], [once[index] for once in bare])
            for index, name in enumerate(NAMES)
        }
        for site in sites
    ]


def _start_once(start: Start) -> tuple[float, float]:
    """Return the CPU seconds until the first page, and the MiB of memory after it."""
    with start() as server:
        time.sleep(_SETTLE_SECONDS)
        return server.start_cpu_seconds, server.memory_mib()
