"""Customers who write down what they were told, while the portal is killed around them."""

import http.client
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from urllib.parse import urlsplit

from tests.cli.process import Served
from tests.mail.sink import Sink
from tests.web.post import link_in
from tests.web.test_served import Visitor

_PATIENCE_SECONDS = 300
"""A mail that a killed worker held is free after a minute, and the next one may be killed with it, too."""


@dataclass
class Story:
    """One customer: what was certainly done, as far as they were told."""

    email: str
    registered: bool = False
    confirmed: bool = False
    passwords: list[str] = field(default_factory=list)
    """In the order in which they were set; the last one counts."""
    used_links: list[str] = field(default_factory=list)


class Journal:
    """All stories, and each answer that nobody should get."""

    def __init__(self) -> None:
        self.stories: list[Story] = []
        self.faults: list[str] = []
        self.secrets: list[str] = []
        """Passwords and tokens: none may stand in a log."""
        self._lock = Lock()

    def begin(self) -> Story:
        with self._lock:
            story = Story(f"customer{len(self.stories)}@example.com")
            self.stories.append(story)
            return story


class Customer:
    """Registers, confirms, resets the password, signs in; each step again until it is answered."""

    def __init__(self, journal: Journal, sink: Sink, portal: Callable[[], Served], ended: Event) -> None:
        self._journal = journal
        self._sink = sink
        self._portal = portal
        self._ended = ended
        self._random = random.Random()  # noqa: S311 - nothing secret

    def run(self) -> None:
        """One customer after another, until told to end; the last one is brought to the end."""
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
        self._use(story, link, password=password)
        story.confirmed = True
        story.passwords.append(password)
        if self._random.random() < 0.7:
            self._reset(story)

    def _sends(self, path: str, **typed: str) -> bool:
        return self._is_told(Visitor(self._portal()).fill(path, **typed)[0], 302)

    def _reset(self, story: Story) -> None:
        if not self._insist(lambda: self._sends("/password/reset", email=story.email)):
            return
        link = self._link(story, "/password/reset/")
        if link is None:
            return
        password = self._password()
        self._use(story, link, password=password)
        story.passwords.append(password)

    def _use(self, story: Story, link: str, **typed: str) -> None:
        """Use a link until it is certainly used: told so, or, when the answer was lost, that it has been used."""
        self._journal.secrets.append(link.rpartition("/")[2])

        def use() -> bool:
            page = Visitor(self._portal())
            status = page.ask("GET", link)[0]
            if status == 200:
                status = page.fill(link, **typed)[0]
            return self._is_told(status, 302, 410)

        self._insist(use)
        story.used_links.append(link)

    def _insist(self, step: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                if step():
                    return True
            except (OSError, http.client.HTTPException, ValueError):
                pass  # killed before, in the middle, or after: the next try will tell
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
        """The path of the newest link that has arrived."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            links = [urlsplit(link_in(mail)).path for mail in list(self._sink.messages) if mail["To"] == story.email]
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
