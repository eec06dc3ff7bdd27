"""Somebody at a browser: reads pages, types into fields by their labels, and presses buttons by their names."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pyotp
from babel.support import NullTranslations
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect
from playwright.sync_api import TimeoutError as TookTooLong

from portal.domain.outbox import Notice
from tests.cli.process import wait_until

PASSWORD = "seven plain ducks walk"
PATIENCE_MS = 60_000
"""How long a page is waited for; it is no promise, and no test measures it."""
_KEY_MS = 10_000
_STATUS_OF_A_PAGE = "Failed to load resource: the server responded with a status of"
"""Chromium says so of every page that is answered with 4xx or 5xx; the tests look at those themselves."""
_MAILS = Path(__file__).resolve().parents[2] / "templates" / "mail"
_SUBJECTS = [text for notice in Notice for text in re.findall("'(.*?)'", (_MAILS / notice / "subject.txt").read_text())]


def press_enter(element: Locator) -> None:
    """Press Enter on an element, wherever it moves to meanwhile; what comes of it is for the caller to wait for.

    Where the key leads to another page, Chromium now and then never says that it has taken the key.
    """
    expect(element).to_be_visible(timeout=PATIENCE_MS)
    with suppress(TookTooLong):
        element.press("Enter", timeout=_KEY_MS)


@dataclass
class Visitor:
    """One page of one browser."""

    context: BrowserContext
    url: str
    translations: NullTranslations = field(default_factory=NullTranslations)
    """From English, which the tests are written in, into the language of the pages."""
    page: Page = field(init=False)
    faults: list[str] = field(default_factory=list, init=False)
    """What a page must never do: say something in the console, fail to load something, ask another host."""
    answer: Response | None = field(default=None, init=False)
    """What the page was made of, as it came from the server."""

    _hosts: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.move_to(self.url)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        is_of_the_page = message.text.startswith(_STATUS_OF_A_PAGE) and message.location["url"] == self.page.url
        if not is_of_the_page:
            self.faults.append(f"console: {message.text} ({message.location['url']})")

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in self._hosts:
            self.faults.append(f"another host: {request.url}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a page still loads when it is left
            self.faults.append(f"{request.failure}: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.frame.parent_frame is None:
            self.answer = response
        if response.status >= 400 and not response.request.is_navigation_request():
            self.faults.append(f"{response.status}: {response.url}")

    def move_to(self, url: str) -> None:
        """Visit another portal. What a page of the one before still loads meanwhile is no fault."""
        self.url = url
        self._hosts.add(urlsplit(url).netloc)

    def go(self, path: str) -> int:
        """Open an address of the portal; the status of the answer."""
        response = self.page.goto(self.url + path if path.startswith("/") else path)
        assert response is not None
        return response.status

    @property
    def path(self) -> str:
        """What the address bar shows, without the host."""
        return self.page.url.removeprefix(self.url)

    @property
    def heading(self) -> Locator:
        """The page's one h1."""
        return self.page.locator("h1")

    @property
    def summary(self) -> Locator:
        """What is wrong with a form, where it is said first: in the summary, or at the one field."""
        return self.page.locator(".problems, .field-error").first

    def type(self, **fields: str) -> None:
        """Fill fields, by their names."""
        self._wait_for_focus()
        for name, text in fields.items():
            field = self.page.locator(f"main [name={name}]")
            folded = self.page.locator("details:not([open])", has=self.page.locator(f"[name={name}]"))
            if folded.count():
                folded.locator("summary").click()
            field.fill(text)

    def said(self, words: str) -> str:
        """English words, as the pages say them."""
        text: str = self.translations.ugettext(words)
        return text

    def subject(self, beginning: str) -> str:
        """The subject that begins like this in English, as far as it is the same in every mail of its kind."""
        whole = next((subject for subject in _SUBJECTS if subject.startswith(beginning)), beginning)
        translated = self.said(whole)
        return beginning if translated == whole else max(translated.split("%(organisation)s"), key=len).strip()

    def press(self, button: str) -> int:
        """Press the button with these words, by keyboard, and wait for the page it leads to; its status."""
        self._wait_for_focus()
        with self.page.expect_navigation() as navigation:
            press_enter(self.page.get_by_role("button", name=self.said(button), exact=True))
        return navigation.value.status

    def _wait_for_focus(self) -> None:
        """Until the page has the field in focus that it wants to: Chromium grumbles at whoever is faster than that."""
        if self.page.evaluate("document.activeElement === document.body && !!document.querySelector('[autofocus]')"):
            expect(self.page.locator("[autofocus]")).to_be_focused()

    def follow(self, link: str) -> int:
        """Click the link with these words; the status of the page it leads to."""
        with self.page.expect_navigation() as navigation:
            self.page.get_by_role("link", name=self.said(link), exact=True).click()
        return navigation.value.status

    def register(self, email: str, password: str = PASSWORD, first: str = "Ada", last: str = "Quill") -> int:
        """Create an account, up to the page that says to look for the mail."""
        self.go("/register")
        self.type(email=email, password=password, first_name=first, last_name=last)
        return self.press("Create an account")

    def confirm(self, email: str) -> int:
        """Open the link in the newest mail and press its button."""
        self.go(self.link_to(email))
        return self.press("Confirm email address")

    def sign_in(self, email: str, password: str = PASSWORD) -> int:
        """Sign in by password."""
        self.go("/login")
        self.type(email=email, password=password)
        return self.press("Sign in")

    def set_up_two_step(self) -> list[str]:
        """Turn two-step verification on; the recovery codes, which the page shows now."""
        self.go("/account/two-step")
        self.type(code=self.app_code())
        assert self.press("Turn on") == 200
        return self.page.locator(".recovery-codes").inner_text().split()

    def app_code(self) -> str:
        """What an app shows that has the key of this page."""
        key = self.page.locator(".key .reference").text_content() or ""
        return pyotp.TOTP("".join(key.split())).now()

    def enter_recovery_code(self, code: str, *, trust: bool = False) -> int:
        """Finish a sign-in by a recovery code."""
        self.follow("Use a recovery code")
        self.type(code=code)
        if trust:
            self.page.locator("[name=trust]").check()
        return self.press("Sign in")

    def ask_for_reset(self, email: str) -> int:
        """Ask for a link to set a new password."""
        self.go("/password/reset")
        self.type(email=email)
        return self.press("Email me a reset link")

    def find_mail(self, email: str, subject: str) -> Locator:
        """Open the local mailbox until it has such a mail; the link to the newest one."""
        letters = self.page.locator("li", has_text=email).get_by_role("link", name=self.subject(subject))

        def has_arrived() -> bool:
            self.go("/dev/mailbox")
            return letters.count() > 0

        wait_until(has_arrived)
        return letters.first

    def open_mail(self, email: str, subject: str) -> None:
        """Open the newest such mail."""
        letter = self.find_mail(email, subject)
        with self.page.expect_navigation():
            letter.click()
        expect(self.heading).to_contain_text(self.subject(subject))

    def link_to(self, email: str, subject: str = "Confirm your email") -> str:
        """The link in the newest such mail, without looking at the mail."""
        letter = self.find_mail(email, subject).get_attribute("href")
        page = self.context.request.get(f"{self.url}{letter}").text()
        link = re.search(r'(?s)<pre.*?<a href="(.*?)"', page)
        assert link is not None
        return link[1]
