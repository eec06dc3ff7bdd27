"""Whether time tells known addresses from unknown ones: POST /login, /register and /password/reset.

POST /login twice: with a wrong password, and with the one that a stranger has just registered for the address.
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
    print(f"Known and unknown addresses: ms until the answer, medians of {SAMPLES} samples each, in random order.")
    print(_COLUMNS.format("", "known", "unknown", "noise", "difference", "99 % lie within", "so"))
    with temporary_instance() as instance, portal_server(instance) as server:
        browser = server.browser()
        for form, (path, send, strangers) in _FORMS.items():
            known, unknown = _sample(browser, path, send, instance.customers, strangers)
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
    browser: Browser, path: str, send: Send, customers: list[str], strangers: int
) -> tuple[list[float], list[float]]:
    """The ms for known and for unknown addresses. Chance alone orders them: mail goes out beside what comes next."""
    browser.open(path)
    for number in range(_WARM_UP):
        send(browser, f"early-{number:04}@example.com")
    known: list[float] = []
    unknown: list[float] = []
    turns = [(known, customers[number % len(customers)]) for number in range(SAMPLES)]
    turns += [(unknown, f"stranger-{strangers}-{number % strangers:04}@example.com") for number in range(SAMPLES)]
    random.Random(0).shuffle(turns)  # noqa: S311 - nobody is to be surprised
    for samples, email in turns:
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
"""The page of each form, what is sent, and how many unknown addresses take turns.

As many as there are customers where an address gets one registration after another, so that each has as many of them.
/register comes last: whoever has registered is not quite unknown any more.
"""


def _verdict(low: float, high: float, middle: float) -> str:
    if not low <= 0 <= high:
        return f"known addresses answer {'later' if low > 0 else 'sooner'}: look into it"
    return "time tells nothing" if high - low < middle / 4 else "too much noise to tell: is the machine busy?"
