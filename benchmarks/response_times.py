"""Compare the response times for known and unknown addresses: POST /login, /register and /password/reset.

POST /login is measured with a wrong password, and with one that was just registered for the address.
"""

import random
from collections.abc import Callable
from statistics import median

from benchmarks.browser import Browser
from benchmarks.figures import deviation, difference_interval
from benchmarks.instance import CUSTOMERS, temporary_instance
from benchmarks.servers import portal_server

SAMPLES = 200
_REGISTERED = "zeleny tukan 88"
_WARM_UP = 10
_COLUMNS = "{:<22} {:>9} {:>9} {:>7} {:>11} {:>18}   {}"

Send = Callable[[Browser, str], float]


def run() -> None:
    """Measure and print."""
    print(f"Known and unknown addresses: response time in ms, medians of {SAMPLES} samples each, in random order.")
    print(_COLUMNS.format("", "known", "unknown", "MAD", "difference", "99 % interval", "result"))
    with temporary_instance() as instance, portal_server(instance) as server:
        browser = server.browser()
        for form, (path, send, unknown_addresses) in _FORMS.items():
            known, unknown = _sample(browser, path, send, instance.customers, unknown_addresses)
            low, high = difference_interval(known, unknown)
            print(
                _COLUMNS.format(
                    f"POST {form}",
                    f"{median(known):.3f}",
                    f"{median(unknown):.3f}",
                    f"{deviation(unknown):.3f}",
                    f"{median(known) - median(unknown):+.3f}",
                    f"{low:+.3f} to {high:+.3f}",
                    _verdict(low, high, median(unknown)),
                )
            )
        browser.close()


def _sample(
    browser: Browser, path: str, send: Send, customers: list[str], unknown_addresses: int
) -> tuple[list[float], list[float]]:
    """Measure the ms for known and for unknown addresses, in random order, since email is sent in the background."""
    browser.open(path)
    for number in range(_WARM_UP):
        send(browser, f"early-{number:04}@example.com")
    known: list[float] = []
    unknown: list[float] = []
    requests = [(known, customers[number % len(customers)]) for number in range(SAMPLES)]
    requests += [
        (unknown, f"unknown-{unknown_addresses}-{number % unknown_addresses:04}@example.com")
        for number in range(SAMPLES)
    ]
    random.Random(0).shuffle(requests)  # noqa: S311 - a fixed seed: each run has the same order
    for samples, email in requests:
        samples.append(send(browser, email) * 1000)
    return known, unknown


def _log_in(browser: Browser, email: str) -> float:
    return browser.send("/login", 422, email=email, password="a wrong password")


def _register(browser: Browser, email: str) -> float:
    return browser.send("/register", 302, email=email, password=_REGISTERED, first_name="Jana", last_name="Nováková")


def _log_in_registered(browser: Browser, email: str) -> float:
    _register(browser, email)
    return browser.send("/login", 422, email=email, password=_REGISTERED)


def _request_reset(browser: Browser, email: str) -> float:
    return browser.send("/password/reset", 302, email=email)


_FORMS: dict[str, tuple[str, Send, int]] = {
    "/login": ("/login", _log_in, SAMPLES),
    "/password/reset": ("/password/reset", _request_reset, SAMPLES),
    "/login (registered)": ("/login", _log_in_registered, CUSTOMERS),
    "/register": ("/register", _register, SAMPLES),
}
"""The page of each form, the function that sends it, and the number of unknown addresses.

That number is CUSTOMERS where an address is registered repeatedly, so that each has the same number of registrations.
/register is last, since it makes unknown addresses known.
"""


def _verdict(low: float, high: float, unknown: float) -> str:
    if not low <= 0 <= high:
        return f"known addresses are {'slower' if low > 0 else 'faster'}: find out why"
    return "no difference" if high - low < unknown / 4 else "too noisy: is the machine busy?"
