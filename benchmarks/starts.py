"""Measure the CPU time until the first page, and the memory after it, of the portal and of the bare reference."""

import time
from collections.abc import Collection, Mapping

from benchmarks.instance import Instance
from benchmarks.rows import Measured
from benchmarks.servers import bare_server, portal_server

NAMES = ("start", "memory")
_SETTLE_SECONDS = 1.5
"""Time for what a server does after its start, such as the mail worker's first turn."""


def measure(instance: Instance, names: Collection[str], rounds: int) -> Mapping[str, Measured]:
    """Measure the named rows, on an instance that has a database."""
    if not set(NAMES) & set(names):
        return {}
    values = []
    for number in range(rounds + 1):
        found = []
        for start in (portal_server, bare_server):
            with start(instance) as server:
                time.sleep(_SETTLE_SECONDS)
                found.append((server.start_cpu_seconds, server.memory_mib()))
        if number:  # the first round writes the bytecode of all modules
            values.append(found)
    measured = {
        name: Measured([ours[index] for ours, _ in values], [bare[index] for _, bare in values])
        for index, name in enumerate(NAMES)
    }
    return {name: found for name, found in measured.items() if name in names}
