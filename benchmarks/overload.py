"""Measure 64 callers that sign in at once, each again as soon as it is answered, and pages asked for beside them."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import cycle
from multiprocessing import get_context
from statistics import median
from time import monotonic, process_time, sleep

from benchmarks.browser import Browser
from benchmarks.instance import PASSWORD, Instance
from benchmarks.rows import Measured
from benchmarks.servers import Server, bare_server, portal_server
from portal.domain.passwords.hashing import new_salt

NAMES = ("hash-share", "turned-away", "page-beside")
CALLERS = 64
SECONDS = 8.0
_PAGE_SECONDS = 0.05
"""The pause between two pages."""
_HASHES = 40


def measure(instance: Instance, names: Collection[str], rounds: int) -> Mapping[str, Measured]:
    """Measure the named rows."""
    if not set(NAMES) & set(names):
        return {}
    ours, bare = [], []
    for _ in range(max(1, rounds // 3)):
        ours.append(_round(instance, portal_server))
        bare.append(_round(instance, bare_server))
    measured = {
        name: Measured([values[index] for values in ours], [values[index] for values in bare])
        for index, name in enumerate(NAMES)
    }
    return {name: found for name, found in measured.items() if name in names}


def _round(
    instance: Instance, start: Callable[[Instance], AbstractContextManager[Server]]
) -> tuple[float, float, float]:
    """Return the share of CPU spent hashing, the percentage of 503, and the median ms of a page."""
    hash_seconds = _hash_seconds(instance)
    with (
        start(instance) as server,
        ThreadPoolExecutor(CALLERS) as callers,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart,
    ):
        browsers = [server.browser() for _ in range(CALLERS)]
        for browser in browsers:
            browser.open("/login")
        apart.submit(_load_pages, server.port, 0.1).result()
        before, end = server.cpu_seconds(), monotonic() + SECONDS
        pages = apart.submit(_load_pages, server.port, SECONDS)
        calls = [
            callers.submit(repeat_until, end, sign_in(browser, email))
            for browser, email in zip(browsers, cycle(instance.customers), strict=False)
        ]
        answers = sum((call.result() for call in calls), Counter[int]())
        spent = server.cpu_seconds() - before
        page_ms = pages.result()
    assert set(answers) <= {302, 503}, answers
    share = answers[302] * hash_seconds / spent
    return share, answers[503] / answers.total() * 100, page_ms


def sign_in(browser: Browser, email: str) -> Callable[[], int]:
    """Return a function that signs in by the form that is open, and returns the status."""
    return partial(browser.form_status, "/login", "/account", email=email, password=PASSWORD)


def repeat_until(end: float, request: Callable[[], int]) -> Counter[int]:
    """Send a request again and again, and count the statuses."""
    answers = Counter[int]()
    while monotonic() < end:
        answers[request()] += 1
    return answers


def _load_pages(port: int, seconds: float) -> float:
    """Load the page from a process of its own, and return the median ms."""
    browser, end, times = Browser(port), monotonic() + seconds, []
    while monotonic() < end:
        times.append(browser.get("/login", 'name="password"') * 1000)
        sleep(_PAGE_SECONDS)
    return median(times)


def _hash_seconds(instance: Instance) -> float:
    salt = new_salt()
    before = process_time()
    for _ in range(_HASHES):
        instance.context.hasher.hash(PASSWORD, salt)
    return (process_time() - before) / _HASHES
