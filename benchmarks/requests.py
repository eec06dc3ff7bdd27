"""Measure the CPU time of single requests, in bare pages, password hashes or milliseconds."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from time import process_time

from benchmarks.browser import Browser
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


@dataclass(frozen=True)
class Site:
    """The pages of a program where customers sign in, and the names it uses there."""

    login: str = "/login"
    email_field: str = "email"
    session_cookie: str = "session"
    reset: str = "/password/reset"
    """The form that asks for a reset link; empty if there is none."""
    reset_target: str = ""
    """Where the answer to that form leads; empty if it is a page, which contains `reset_text`."""
    reset_text: str = ""


PORTAL = Site(session_cookie="portal", reset_target="/password/reset-sent")


def measure(instance: Instance, names: Collection[str], rounds: int) -> Mapping[str, Measured]:
    """Measure the named rows of the portal."""
    names = [name for name in NAMES if name in names]
    if not names:
        return {}
    with portal_server(instance) as portal, bare_server(instance) as reference:
        [measured] = take_turns(instance, reference, [PortalRequests(instance, portal)], names, rounds)
    return measured


def take_turns(
    instance: Instance, reference: Server, sites: Sequence["SiteRequests"], names: Sequence[str], rounds: int
) -> list[dict[str, Measured]]:
    """Measure the named rows of each site; sites and references take turns, so that a busy machine affects all."""
    values: list[dict[str, list[tuple[float, float]]]] = [{name: [] for name in site.rows(names)} for site in sites]
    bare: list[float] = []
    for number in range(rounds + 1):
        units = {"bare pages": 0.0, "hashes": hash_ms(instance), "CPU ms": 1.0}
        sign_in_ms, _ = cost_ms(reference, FORMS, _bare_sign_in(reference))
        if number:  # the first round is the warm-up
            bare.append(sign_in_ms / units["hashes"])
        for name in names:
            is_page = ROWS[name].unit == "bare pages"
            if is_page:
                units["bare pages"], _ = cost_ms(reference, PAGES, bare_page(reference))
            for site, found in zip(sites, values, strict=True):
                if name in found:
                    ms, backends_ms = cost_ms(site.server, PAGES if is_page else FORMS, site.prepare(name))
                    unit = units[ROWS[name].unit]
                    if number:
                        found[name].append((ms / unit, (ms + backends_ms) / unit))
    return [
        {
            name: Measured([ours for ours, _ in pairs], bare if name == "sign-in" else (), [both for _, both in pairs])
            for name, pairs in found.items()
        }
        for found in values
    ]


def cost_ms(server: Server, times: int, request: Request) -> tuple[float, float]:
    """Return the average CPU ms of a request, in the server and in the backends that it uses."""
    before, backends_before = server.cpu_seconds(), server.backend_cpu_seconds()
    for _ in range(times):
        request()
    spent, backends_spent = server.cpu_seconds() - before, server.backend_cpu_seconds() - backends_before
    return spent / times * 1000, backends_spent / times * 1000


def hash_ms(instance: Instance) -> float:
    salt = new_salt()
    before = process_time()
    for _ in range(FORMS):
        instance.context.hasher.hash(PASSWORD, salt)
    return (process_time() - before) / FORMS * 1000


def bare_page(reference: Server) -> Request:
    browser = reference.browser()
    return lambda: browser.get("/login", "size of a usual form")


def _bare_sign_in(reference: Server) -> Request:
    browser = reference.browser()
    return lambda: browser.send("/login", 302, "/account", email="steady-0000@example.com", password=PASSWORD)


class SiteRequests:
    """Prepares requests to any site; their preparation is not measured."""

    def __init__(self, instance: Instance, server: Server, site: Site) -> None:
        self.server = server
        self._site = site
        self._numbers = count(1000)  # with a shorter number, the password is refused as easy
        self._reader, *self._steady = instance.customers
        """The one who reads the account has few sessions, as most have; signing in again and again adds many."""

    def rows(self, names: Collection[str]) -> list[str]:
        """Return those of the named rows that the site has."""
        return [name for name in names if self._site.reset or not name.startswith("reset-")]

    def prepare(self, name: str) -> Request:
        """Return a function that sends the next request of a row, at most FORMS times for a form."""
        return self._prepared()[name]()

    def _prepared(self) -> dict[str, Callable[[], Request]]:
        return {
            "login-page": self._login_page,
            "account": self._account,
            "sign-in": self._sign_in,
            "reset-known": self._reset_known,
            "reset-unknown": self._reset_unknown,
        }

    def _login_page(self) -> Request:
        browser = self.server.browser()
        return lambda: browser.get(self._site.login, 'name="password"')

    def _account(self) -> Request:
        """Read the account in a browser that has opened it before, whose session has a form token."""
        browser = self._signed_in(self._reader)
        browser.open("/account")
        return lambda: browser.get("/account", self._reader)

    def _sign_in(self) -> Request:
        """Sign in with browsers that have signed in before, as most do."""
        browsers = []
        for email in self._steady:
            browser = self._signed_in(email)
            browser.forget(self._site.session_cookie)
            browser.open(self._site.login)
            browsers.append((browser, email))
        turns = cycle(browsers)

        def request() -> None:
            browser, email = next(turns)
            fields = {self._site.email_field: email, "password": PASSWORD}
            browser.send(self._site.login, 302, "/account", **fields)

        return request

    def _reset_known(self) -> Request:
        addresses = cycle(self._steady)
        return self._reset(lambda: next(addresses))

    def _reset_unknown(self) -> Request:
        return self._reset(lambda: f"unknown-{next(self._numbers)}@example.com")

    def _reset(self, next_address: Callable[[], str]) -> Request:
        browser, site = self.server.browser(), self._site
        browser.open(site.reset)
        status = 302 if site.reset_target else 200
        return lambda: browser.send(site.reset, status, site.reset_target, site.reset_text, email=next_address())

    def _signed_in(self, email: str) -> Browser:
        browser = self.server.browser()
        browser.log_in(email, PASSWORD, self._site.login, self._site.email_field)
        return browser


class PortalRequests(SiteRequests):
    """Prepares requests to the portal."""

    def __init__(self, instance: Instance, portal: Server) -> None:
        super().__init__(instance, portal, PORTAL)
        self._instance = instance
        self._passwords = dict.fromkeys(instance.changing_customers, PASSWORD)
        """The current passwords of those whose passwords are changed."""

    def _prepared(self) -> dict[str, Callable[[], Request]]:
        own = {"new-password": self._new_password, "change-password": self._change_password}
        return super()._prepared() | own

    def _new_password(self) -> Request:
        browser = self.server.browser()
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
            browser = self.server.browser()
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
