"""The number of cores, and a thread pool that starts all its threads at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

CORES = len(os.sched_getaffinity(0))
"""The number of cores that this process may use."""


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Return a pool with all its threads started.

    A thread started later, in the middle of a request, may fail when the system is short of memory or processes. Raises
    RuntimeError when a thread cannot be started.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    barrier = Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(barrier.wait)
        barrier.wait()
    except RuntimeError:
        barrier.abort()
        pool.shutdown(wait=False)
        raise
    return pool
