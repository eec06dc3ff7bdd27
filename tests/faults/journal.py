"""Customers who record the responses that they get while the portal is killed."""

import http.client
import random
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from threading import Event, Lock
from urllib.parse import urlsplit

from tests.cli.process import Served
from tests.mail.sink import Sink
from tests.web.post import links_in
from tests.web.test_served import Visitor, token_in

_PATIENCE_SECONDS = 300
"""Two leases: an email may be claimed by two killed workers, one after another."""
REQUEST_SECONDS = 15
"""The time within which every request is answered."""


@dataclass
class Story:
    """What one customer has certainly done, according to the responses."""

    email: str
    registered: bool = False
    confirmed: bool = False
    passwords: list[str] = field(default_factory=list)
    """In the order in which they were set; the last one is valid."""
    used_links: list[str] = field(default_factory=list)
    ended: list[Visitor] = field(default_factory=list)
    """Browsers whose identity has ended: signed out, or signed in before a password was set."""
    mistyped: int = 0
    """The number of wrong passwords since the last right one."""


class Journal:
    """The journals of all customers, and each response that must not occur."""

    def __init__(self) -> None:
        self.stories: list[Story] = []
        self.faults: list[str] = []
        self.secrets: list[str] = []
        """Passwords and tokens; no log may contain one."""
        self.closed = Event()
        """Set at the end: customers who wait for a response or an email stop."""
        self._lock = Lock()

    def begin(self) -> Story:
        with self._lock:
            story = Story(f"customer{len(self.stories)}@example.com")
            self.stories.append(story)
            return story


class Witness(Visitor):
    """A visitor who records responses that came too late or revealed something."""

    def __init__(self, served: Served, journal: Journal) -> None:
        super().__init__(served)
        self._journal = journal

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str, str]:
        """Return status, Location and body of a response."""
        began = time.monotonic()
        try:
            answer = super().ask(method, path, body)
        finally:
            took = time.monotonic() - began
            if took > REQUEST_SECONDS:
                self._journal.faults.append(f"{method} {path[:16]} took {took:.0f} s")
        if "Traceback" in answer[2]:
            self._journal.faults.append(f"{method} {path[:16]} showed a traceback")
        return answer


class Customer:
    """A customer who registers, confirms, resets the password, signs out and enters wrong passwords; repeats each step
    until it is answered.
    """

    def __init__(self, journal: Journal, sink: Sink, served: Served, ended: Event) -> None:
        self._journal = journal
        self._sink = sink
        self._served = served
        self._ended = ended
        self._random = random.Random()  # noqa: S311 - nothing secret

    def run(self) -> None:
        """Create customers one after another until told to end; the last one finishes."""
        while not self._ended.is_set():
            self._live(self._journal.begin())

    def _live(self, story: Story) -> None:
        password = self._password()
        typed = {"email": story.email, "password": password, "first_name": "Ada", "last_name": "Quill"}
        if not self._insist(lambda: self._sends("/register", **typed)):
            return
        story.registered = True
        link = self._link(story, "/register/verify/")
        if link is None:
            return
        browser = self._use(story, link, password=password) or self._signed_in(story, password)
        story.confirmed = True
        story.passwords.append(password)
        if self._random.random() < 0.7:
            if not self._reset(story):
                return
            story.ended.append(browser)
        else:
            self._sign_out(story, browser)
        for _ in range(self._random.randrange(3)):
            self._insist(lambda: self._is_told(self._witness().fill("/login", email=story.email, password="x")[0], 422))
            story.mistyped += 1

    def _witness(self) -> Witness:
        return Witness(self._served, self._journal)

    def _signed_in(self, story: Story, password: str) -> Witness:
        browser = self._witness()
        self._insist(lambda: self._is_told(browser.fill("/login", email=story.email, password=password)[0], 302))
        return browser

    def _sign_out(self, story: Story, browser: Witness) -> None:
        """Repeat the sign-out until it is answered, or until no browser is signed in, if the response was lost."""
        before, asked = copy(browser), Event()

        def leave() -> bool:
            status, _, page = browser.ask("GET", "/account")
            if status == 200:
                asked.set()
                status = browser.send("/logout", token_in(page, "/logout"))[0]
            elif status == 302 and not asked.is_set():
                self._journal.faults.append(f"{story.email} was signed in and is no more")
            return self._is_told(status, 302)

        self._insist(leave)
        story.ended.append(before)

    def _sends(self, path: str, **typed: str) -> bool:
        return self._is_told(self._witness().fill(path, **typed)[0], 302)

    def _reset(self, story: Story) -> bool:
        if not self._insist(lambda: self._sends("/password/reset", email=story.email)):
            return False
        link = self._link(story, "/password/reset/")
        if link is None:
            return False
        password = self._password()
        self._use(story, link, password=password)
        story.passwords.append(password)
        return True

    def _use(self, story: Story, link: str, **typed: str) -> Witness | None:
        """Use a link until it is certainly used; return the browser that got the response, or None if it was lost."""
        self._journal.secrets.append(link.rpartition("/")[2])
        told: list[Witness] = []

        def use() -> bool:
            page = self._witness()
            status = page.ask("GET", link)[0]
            if status == 200:
                status = page.fill(link, **typed)[0]
                if status == 302:
                    told.append(page)
            return self._is_told(status, 302, 410)

        self._insist(use)
        story.used_links.append(link)
        return told[0] if told else None

    def _insist(self, step: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not self._journal.closed.is_set():
            try:
                if step():
                    return True
            except (OSError, http.client.HTTPException, ValueError):
                pass  # killed before, during or after; the next attempt shows which
            time.sleep(self._random.uniform(0.01, 0.2))
        self._journal.faults.append("a step was never answered")
        return False

    def _is_told(self, status: int, *good: int) -> bool:
        if status in good:
            return True
        if status != 503:
            self._journal.faults.append(f"answered {status} where {good} was due")
        return False

    def _link(self, story: Story, path: str) -> str | None:
        """Return the path of the newest link that has arrived."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and not self._journal.closed.is_set():
            mails = [mail for mail in list(self._sink.messages) if mail["To"] == story.email]
            links = [urlsplit(link).path for mail in mails for link in links_in(mail)]
            fresh = [link for link in links if link.startswith(path) and link not in story.used_links]
            if fresh:
                return fresh[-1]
            time.sleep(0.05)
        self._journal.faults.append(f"no mail with {path} came")
        return None

    def _password(self) -> str:
        words = self._random.sample(("heron", "mitten", "ballot", "orchard", "kettle", "gravel", "cinder", "walnut"), 4)
        password = f"{' '.join(words)} {self._random.randrange(10_000)}"
        self._journal.secrets.append(password)
        return password
