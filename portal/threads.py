"""The processor cores of this process, and a thread pool that starts all its threads at once."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

CORES = len(os.sched_getaffinity(0))
"""The cores that this process may use."""


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads all run.

    One that is begun with the first work for it may be refused, in the middle of a request, when the system is short of
    memory or of processes. Raises RuntimeError when it is so now.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    all_run = Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(all_run.wait)
        all_run.wait()
    except RuntimeError:
        all_run.abort()
        pool.shutdown(wait=False)
        raise
    return pool
