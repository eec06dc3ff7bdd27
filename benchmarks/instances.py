"""`python -m benchmarks.instances`: 1, 2 and 4 portals on PostgreSQL and Redis behind nginx, beside one on SQLite."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import monotonic

from benchmarks import report
from benchmarks.backends import running_backends
from benchmarks.browser import Browser
from benchmarks.cpu import family_cpu_seconds
from benchmarks.instance import PASSWORD, Instance, temporary_instance
from benchmarks.overload import repeat_until, sign_in
from benchmarks.requests import PAGES, bare_page, cost_ms, hash_ms
from benchmarks.servers import Server, bare_server, portal_server, portal_worker
from tests.deploy.proxied import HOST, NGINX, configure, make_certificate, running_nginx
from tests.servers.processes import free_port

_COUNTS = (1, 2, 4)
_CUSTOMERS = 1000
_SIGN_IN_CALLERS, _PAGE_CALLERS = 64, 16
_SECONDS, _WARM_UP_SECONDS = 6.0, 1.0
_LEAST_HASH = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
"""The cost of a sign-in with it is that of all but the hash."""
_UNLIMITED = {"rate=20r/s": "rate=100000r/s", "burst=60": "burst=100000"}
_LEAST_MS = 0.005
_PARTS = ("portals", "PostgreSQL", "Redis", "nginx", "worker")


@dataclass(frozen=True)
class _Setup:
    """Portals behind an nginx on a port, with the processes of each part."""

    title: str
    port: int
    pids: Mapping[str, Sequence[int]]

    def browser(self) -> Browser:
        return Browser(self.port, HOST)

    def cpu_ms(self) -> list[float]:
        """Return the CPU time of each part."""
        return [family_cpu_seconds(self.pids.get(part, ())) * 1000 for part in _PARTS]


_Request = Callable[[], int]
"""Sends a request, checks its answer and returns the status."""
_Values = list[float]
"""Successes a second, the percentage of failures, and the CPU ms of a success: of all parts and of each."""


@dataclass(frozen=True)
class _Load:
    """A kind of request, and the browsers that send it, each with its request; those of each setup."""

    text: str
    unit: str
    success: int
    callers: Sequence[Sequence[tuple[Browser, _Request]]]


def main() -> None:
    report.run_section("bench-instances", "Measure 1, 2 and 4 portals behind nginx.", _text)


def _text(rounds: int) -> str:
    if NGINX is None:
        raise SystemExit("nginx: not found; install it")
    table = []
    with _running_setups({}) as (instance, setups, reference):
        loads = [
            _Load("POST /login", "hashes", 302, [_sign_ins(setup, instance) for setup in setups]),
            _Load("GET /login", "bare pages", 200, [_pages(setup) for setup in setups]),
        ]
        table += _measure(setups, loads, _units(instance, reference), rounds)
    with _running_setups(_LEAST_HASH) as (instance, setups, _):
        least = _Load("POST /login, least hash", "CPU ms", 302, [_sign_ins(setup, instance) for setup in setups])
        table += _measure(setups, [least], lambda: {"CPU ms": 1.0}, rounds)
    head = ["", "unit", *(setup.title for setup in setups)]
    return f"{report.markdown_table(head, *table)}\n\n{report.conditions(rounds)}"


@contextmanager
def _running_setups(settings: Mapping[str, str]) -> Iterator[tuple[Instance, list[_Setup], Server]]:
    """Run all portals at once, with an nginx for each setup, and the bare references."""
    settings = {**settings, "BASE_URL": f"https://{HOST}", "TRUSTED_PROXIES": "1"}
    with ExitStack() as stack:
        backends = stack.enter_context(running_backends())
        sqlite, postgresql = (
            stack.enter_context(temporary_instance(_CUSTOMERS, kind, _SIGN_IN_CALLERS, **settings))
            for kind in (None, backends)
        )
        alone = stack.enter_context(portal_server(sqlite))
        portals = [stack.enter_context(portal_server(postgresql)) for _ in range(max(_COUNTS))]
        others = {
            "PostgreSQL": [backends.postgres.pid],
            "Redis": [backends.redis.pid],
            "worker": [stack.enter_context(portal_worker(postgresql))],
        }
        setups = [stack.enter_context(_behind_nginx("SQLite, 1 portal", sqlite, [alone], {}))]
        for count in _COUNTS:
            title = f"{count} portal{'s' if count > 1 else ''}"
            setups.append(stack.enter_context(_behind_nginx(title, postgresql, portals[:count], others)))
        yield postgresql, setups, stack.enter_context(bare_server(sqlite))


@contextmanager
def _behind_nginx(
    title: str, instance: Instance, portals: Sequence[Server], others: Mapping[str, Sequence[int]]
) -> Iterator[_Setup]:
    """Run the nginx of deploy/ in front of portals, without its limit of requests."""
    folder, port = instance.path / f"nginx-{len(portals)}", free_port()
    folder.mkdir()
    make_certificate(folder)
    configure(folder, free_port(), port, [portal.port for portal in portals], _UNLIMITED)
    with running_nginx(folder, port) as pid:
        yield _Setup(title, port, {"portals": [portal.pid for portal in portals], "nginx": [pid], **others})


def _sign_ins(setup: _Setup, instance: Instance) -> list[tuple[Browser, _Request]]:
    """Prepare sign-ins of different customers with browsers that have signed in before, as most do."""
    callers = []
    for email in instance.customers:
        browser = setup.browser()
        browser.log_in(email, PASSWORD)
        browser.forget("__Host-portal")
        browser.open("/login")
        callers.append((browser, sign_in(browser, email)))
    return callers


def _pages(setup: _Setup) -> list[tuple[Browser, _Request]]:
    browsers = [setup.browser() for _ in range(_PAGE_CALLERS)]
    return [(browser, partial(browser.page_status, "/login", 'name="password"')) for browser in browsers]


def _units(instance: Instance, reference: Server) -> Callable[[], Mapping[str, float]]:
    """Return a function that measures the CPU ms of the units."""
    return lambda: {
        "hashes": hash_ms(instance),
        "bare pages": cost_ms(reference, PAGES, bare_page(reference))[0],
    }


def _measure(
    setups: Sequence[_Setup], loads: Sequence[_Load], units: Callable[[], Mapping[str, float]], rounds: int
) -> list[list[str]]:
    """Return the rows of the loads; setups take turns."""
    values: list[list[list[_Values]]] = [[[] for _ in setups] for _ in loads]
    for number in range(rounds + 1):
        unit_ms = units()
        for load, found in zip(loads, values, strict=True):
            for setup, callers, of_setup in zip(setups, load.callers, found, strict=True):
                once = _run(setup, load, callers, _SECONDS if number else _WARM_UP_SECONDS)
                once[2] /= unit_ms[load.unit]
                if number:  # the first round is the warm-up
                    of_setup.append(once)
    return [row for load, found in zip(loads, values, strict=True) for row in rows(load.text, load.unit, found)]


def _run(setup: _Setup, load: _Load, callers: Sequence[tuple[Browser, _Request]], seconds: float) -> _Values:
    """Let all callers send their requests again and again."""
    before, start = setup.cpu_ms(), monotonic()
    with ThreadPoolExecutor(len(callers)) as threads:
        counts = threads.map(lambda caller: repeat_until(start + seconds, caller[1]), callers)
        answers = sum(counts, Counter[int]())
    took, spent = monotonic() - start, setup.cpu_ms()
    for browser, _ in callers:
        browser.close()  # before nginx does
    assert set(answers) <= {load.success, 503}, answers
    successes = answers[load.success]
    cost = [(now - then) / successes for now, then in zip(spent, before, strict=True)]
    return [successes / took, answers[503] / answers.total() * 100, sum(cost), *cost]


def rows(text: str, unit: str, values: Sequence[Sequence[_Values]]) -> list[list[str]]:
    """Return the rows of a load, from its values for each setup in each round; a part that used no CPU has none."""
    heads = [("answered", "a second", 0), ("503", "%", 1), ("CPU", unit, 2)]
    heads += [(f"CPU of {part}", "ms", 2) for part in _PARTS]
    medians = [[median(column) for column in zip(*rounds, strict=True)] for rounds in values]
    return [
        [f"{text}: {head}", of, *(f"{value:,.{digits}f}" for value in cells)]
        for (head, of, digits), *cells in zip(heads, *medians, strict=True)
        if of != "ms" or max(cells) >= _LEAST_MS
    ]


if __name__ == "__main__":
    main()
