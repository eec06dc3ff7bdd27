"""Compare the times of known, banned, pending and unknown addresses: of what answers the same to all of them.

POST /login is measured with a wrong password, and with one that was just registered for the address. Measured are the
response time, which an attacker sees, and the server's CPU time, which a busy machine blurs less.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from statistics import median

from benchmarks.browser import Browser
from benchmarks.figures import deviation, difference_interval
from benchmarks.instance import CUSTOMERS, Instance, temporary_instance
from benchmarks.servers import Server, portal_server

SAMPLES = 200
_REGISTERED = "zeleny tukan 88"
_WARM_UP = 10
_UNKNOWN = "unknown"
_COLUMNS = "{:<24} {:<8} {:<9} {:>9} {:>9} {:>7} {:>11} {:>18}   {}"

Send = Callable[[Browser, str], float]


@dataclass
class _Samples:
    """The milliseconds of one form with one kind of address."""

    response: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def run() -> None:
    """Measure and print."""
    print(
        f"Milliseconds, medians of {SAMPLES} samples of each kind of address, in random order; compared with unknown."
    )
    print(_COLUMNS.format("", "address", "time", "its", "unknown", "MAD", "difference", "99 % interval", "result"))
    with temporary_instance() as instance, portal_server(instance) as server:
        known = _addresses(instance)
        browser = server.browser()
        for form, (path, send, unknown_addresses) in _FORMS.items():
            unknown = [f"unknown-{unknown_addresses}-{number:04}@example.com" for number in range(unknown_addresses)]
            samples = _sample(server, browser, path, send, {**known, _UNKNOWN: unknown})
            for kind in known:
                _print_row(form, kind, "response", samples[kind].response, samples[_UNKNOWN].response)
                _print_row(form, kind, "CPU", samples[kind].cpu, samples[_UNKNOWN].cpu)
        browser.close()


def _addresses(instance: Instance) -> dict[str, list[str]]:
    """Return known addresses of each kind, CUSTOMERS of each; ban the banned ones, and register the pending ones."""
    banned = instance.changing_customers[:CUSTOMERS]
    for email in banned:
        instance.ban(email)
    pending = [f"pending-{number:04}@example.com" for number in range(CUSTOMERS)]
    for email in pending:
        instance.add_pending(email)
    return {"known": instance.customers, "banned": banned, "pending": pending}


def _sample(
    server: Server, browser: Browser, path: str, send: Send, addresses: dict[str, list[str]]
) -> dict[str, _Samples]:
    """Measure a form with each kind of address, in random order, since email is sent in the background."""
    browser.open(path)
    for number in range(_WARM_UP):
        send(browser, f"early-{number:04}@example.com")
    requests = [
        (kind, email)
        for kind, of_kind in addresses.items()
        for _, email in zip(range(SAMPLES), cycle(of_kind), strict=False)
    ]
    random.Random(0).shuffle(requests)  # noqa: S311 - a fixed seed: each run has the same order
    samples = {kind: _Samples() for kind in addresses}
    for kind, email in requests:
        before = server.cpu_seconds()
        samples[kind].response.append(send(browser, email) * 1000)
        samples[kind].cpu.append((server.cpu_seconds() - before) * 1000)
    return samples


def _print_row(form: str, kind: str, time: str, known: list[float], unknown: list[float]) -> None:
    low, high = difference_interval(known, unknown)
    print(
        _COLUMNS.format(
            f"POST {form}",
            kind,
            time,
            f"{median(known):.3f}",
            f"{median(unknown):.3f}",
            f"{deviation(unknown):.3f}",
            f"{median(known) - median(unknown):+.3f}",
            f"{low:+.3f} to {high:+.3f}",
            _verdict(low, high, median(unknown)),
        )
    )


def _log_in(browser: Browser, email: str) -> float:
    return browser.send("/login", 422, email=email, password="a wrong password")


def _register(browser: Browser, email: str) -> float:
    return browser.send("/register", 302, email=email, password=_REGISTERED, first_name="Jana", last_name="Nováková")


def _log_in_registered(browser: Browser, email: str) -> float:
    return browser.send("/login", 422, containing="confirm your email", email=email, password=_REGISTERED)


def _request_link(browser: Browser, email: str) -> float:
    return browser.send("/login/link", 302, email=email)


def _request_reset(browser: Browser, email: str) -> float:
    return browser.send("/password/reset", 302, email=email)


_FORMS: dict[str, tuple[str, Send, int]] = {
    "/login": ("/login", _log_in, SAMPLES),
    "/login/link": ("/login/link", _request_link, SAMPLES),
    "/password/reset": ("/password/reset", _request_reset, SAMPLES),
    "/register": ("/register", _register, CUSTOMERS),
    "/login (registered)": ("/login", _log_in_registered, CUSTOMERS),
}
"""The page of each form, the function that sends it, and the number of unknown addresses.

That number is CUSTOMERS where an address is registered, so that each has the same number of registrations. The last
form signs in with what the one before has registered.
"""


def _verdict(low: float, high: float, unknown: float) -> str:
    if not low <= 0 <= high:
        return f"{'slower' if low > 0 else 'faster'}: run it again (1 of 100 is chance), then find out why"
    return "no difference" if high - low < unknown / 4 else "too noisy: is the machine busy?"
