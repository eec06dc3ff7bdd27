"""How many connections a process may hold, so that what it opens besides is never in want of a file descriptor."""

import resource

CONNECTIONS = 1000
"""Of each process, where its limit of open files allows it."""
_BESIDES = 60
"""Descriptors for all but connections and threads: those of metrics, mail, the log and the loop itself."""
_OF_A_THREAD = 4
"""What it sends or reads, its Redis, and its connection to the database: on SQLite two files."""


def room_for_connections(threads: int) -> int:
    """Raise this process's own limit of open files as far as needed and allowed; how many connections it is enough for.

    The usual limit, 1,024 that may be raised, is too low for CONNECTIONS and the database, which would then be what
    cannot be opened. Where the limit is too low for both, connections get half of it.
    """
    besides = _BESIDES + _OF_A_THREAD * threads
    limit = _raised_limit(CONNECTIONS + besides)
    return min(CONNECTIONS, max(limit - besides, limit // 2))


def _raised_limit(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
