"""Measure the CPU time of single requests, in bare pages, password hashes or milliseconds."""

from collections.abc import Callable, Collection, Mapping
from itertools import count, cycle
from time import process_time

from benchmarks.instance import CHANGING_CUSTOMERS, PASSWORD, Instance
from benchmarks.rows import ROWS, Measured
from benchmarks.servers import Server, bare_server, portal_server
from portal.domain.passwords.hashing import new_salt

PAGES = 300
FORMS = CHANGING_CUSTOMERS
"""Requests of a page, and of a form, in one round."""
NAMES = ("login-page", "account", "sign-in", "reset-known", "reset-unknown", "new-password", "change-password")

Request = Callable[[], object]
"""Sends one request and checks its answer."""


def measure(instance: Instance, names: Collection[str], rounds: int) -> Mapping[str, Measured]:
    """Measure the named rows; portal and references take turns, so that a busy machine affects both."""
    ours: dict[str, list[float]] = {name: [] for name in NAMES if name in names}
    bare: dict[str, list[float]] = {name: [] for name in ours}
    if not ours:
        return {}
    with portal_server(instance) as portal, bare_server(instance) as reference:
        requests = _Requests(instance, portal)
        for number in range(rounds + 1):
            units = {"bare pages": 0.0, "hashes": _hash_ms(instance), "CPU ms": 1.0}
            sign_in_ms = _cost(reference, FORMS, _bare_sign_in(reference))
            for name in ours:
                is_page = ROWS[name].unit == "bare pages"
                if is_page:
                    units["bare pages"] = _cost(reference, PAGES, _bare_page(reference))
                ms = _cost(portal, PAGES if is_page else FORMS, requests.prepare(name))
                if number:  # the first round is the warm-up
                    ours[name].append(ms / units[ROWS[name].unit])
                    if name == "sign-in":
                        bare[name].append(sign_in_ms / units["hashes"])
    return {name: Measured(values, bare[name]) for name, values in ours.items()}


def _cost(server: Server, times: int, request: Request) -> float:
    """Return the average CPU ms of a request."""
    before = server.cpu_seconds()
    for _ in range(times):
        request()
    return (server.cpu_seconds() - before) / times * 1000


def _hash_ms(instance: Instance) -> float:
    salt = new_salt()
    before = process_time()
    for _ in range(FORMS):
        instance.context.hasher.hash(PASSWORD, salt)
    return (process_time() - before) / FORMS * 1000


def _bare_page(reference: Server) -> Request:
    browser = reference.browser()
    return lambda: browser.get("/login", "size of a usual form")


def _bare_sign_in(reference: Server) -> Request:
    browser = reference.browser()
    return lambda: browser.send("/login", 302, "/account", email="steady-0000@example.com", password=PASSWORD)


class _Requests:
    """Prepares requests; their preparation is not measured."""

    def __init__(self, instance: Instance, portal: Server) -> None:
        self._instance = instance
        self._portal = portal
        self._numbers = count(1000)  # with a shorter number, the password is refused as easy
        self._reader, *self._steady = instance.customers
        """The one who reads the account has few sessions, as most have; signing in again and again adds many."""
        self._passwords = dict.fromkeys(instance.changing_customers, PASSWORD)
        """The current passwords of those whose passwords are changed."""

    def prepare(self, name: str) -> Request:
        """Return a function that sends the next request of a row, at most FORMS times for a form."""
        prepared: dict[str, Callable[[], Request]] = {
            "login-page": self._login_page,
            "account": self._account,
            "sign-in": self._sign_in,
            "reset-known": self._reset_known,
            "reset-unknown": self._reset_unknown,
            "new-password": self._new_password,
            "change-password": self._change_password,
        }
        return prepared[name]()

    def _login_page(self) -> Request:
        browser = self._portal.browser()
        return lambda: browser.get("/login", 'name="csrf_token"')

    def _account(self) -> Request:
        browser = self._portal.browser()
        browser.log_in(self._reader, PASSWORD)
        return lambda: browser.get("/account", self._reader)

    def _sign_in(self) -> Request:
        """Sign in with browsers that have signed in before, as most do."""
        browsers = []
        for email in self._steady:
            browser = self._portal.browser()
            browser.log_in(email, PASSWORD)
            browser.forget("portal")
            browser.open("/login")
            browsers.append((browser, email))
        turns = cycle(browsers)

        def request() -> None:
            browser, email = next(turns)
            browser.send("/login", 302, "/account", email=email, password=PASSWORD)

        return request

    def _reset_known(self) -> Request:
        browser, addresses = self._portal.browser(), cycle(self._steady)
        browser.open("/password/reset")
        return lambda: browser.send("/password/reset", 302, "/password/reset-sent", email=next(addresses))

    def _reset_unknown(self) -> Request:
        browser = self._portal.browser()
        browser.open("/password/reset")
        return lambda: browser.send(
            "/password/reset", 302, "/password/reset-sent", email=f"unknown-{next(self._numbers)}@example.com"
        )

    def _new_password(self) -> Request:
        browser = self._portal.browser()
        browser.open("/login")
        links = iter([(email, self._instance.reset_token(email)) for email in self._passwords])

        def request() -> None:
            email, token = next(links)
            password = self._passwords[email] = self._next_password()
            browser.send(f"/password/reset/{token}", 302, "/account", password=password)

        return request

    def _change_password(self) -> Request:
        browsers = []
        for email, password in self._passwords.items():
            browser = self._portal.browser()
            browser.log_in(email, password)
            browser.open("/account/password")
            browsers.append((browser, email))
        turns = iter(browsers)

        def request() -> None:
            browser, email = next(turns)
            current, new = self._passwords[email], self._next_password()
            browser.send("/account/password", 302, "/account", current_password=current, password=new)
            self._passwords[email] = new

        return request

    def _next_password(self) -> str:
        return f"tichy velbloud {next(self._numbers)}"
