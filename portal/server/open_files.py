"""The maximum number of connections, which leaves file descriptors for the database and other files."""

import resource

CONNECTIONS = 1000
"""The maximum for each process, if its limit of open files allows it."""
_OTHER_FILES = 60
"""Descriptors for metrics, email, the log and the loop."""
_FILES_OF_A_THREAD = 4
"""Descriptors for a file, Redis and the database, which is two files on SQLite."""


def max_connections(threads: int) -> int:
    """Raise the process's limit of open files as far as needed and allowed, and return the maximum of connections.

    The usual soft limit of 1,024 is too low for CONNECTIONS and the database. If the hard limit is too low for both,
    connections get half of it.
    """
    other_files = _OTHER_FILES + _FILES_OF_A_THREAD * threads
    limit = _raise_limit(CONNECTIONS + other_files)
    return min(CONNECTIONS, max(limit - other_files, limit // 2))


def _raise_limit(wanted: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit
