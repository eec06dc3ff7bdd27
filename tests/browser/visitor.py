"""A visitor with a browser, who fills in fields by their names and presses buttons by their texts."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pyotp
from babel.support import NullTranslations
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect
from playwright.sync_api import TimeoutError as TookTooLong

from portal.domain.outbox import Notice
from tests.cli.process import wait_until
from tests.web.browser import read_form
from tests.web.html import read

PASSWORD = "seven plain ducks walk"
PATIENCE_MS = 60_000
"""The timeout for pages, which no test measures."""
_KEY_MS = 10_000
_STATUS_OF_A_PAGE = "Failed to load resource: the server responded with a status of"
"""What Chromium logs for every page with status 4xx or 5xx, which tests check themselves."""
_LISTED_MAIL = re.compile(r'<a href="(.*?)".*?>(.*?)</a>\s*<span class="mail-to".*?>(.*?)</span>')
_MAILS = Path(__file__).resolve().parents[2] / "templates" / "mail"
_SUBJECTS = [text for notice in Notice for text in re.findall("'(.*?)'", (_MAILS / notice / "subject.txt").read_text())]


def press_enter(element: Locator) -> None:
    """Press Enter on an element, even if it moves. The caller waits for the result.

    If the key opens another page, Chromium sometimes does not confirm that it was pressed.
    """
    expect(element).to_be_visible(timeout=PATIENCE_MS)
    with suppress(TookTooLong):
        element.press("Enter", timeout=_KEY_MS)


@dataclass
class Visitor:
    """A visitor with one page of a browser."""

    context: BrowserContext
    url: str
    translations: NullTranslations = field(default_factory=NullTranslations)
    """The translations from English, the language of the tests, into that of the pages."""
    page: Page = field(init=False)
    faults: list[str] = field(default_factory=list, init=False)
    """Faults of pages: console messages, failed requests, requests to other hosts."""
    answer: Response | None = field(default=None, init=False)
    """The last response to a navigation."""

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
        if request.failure != "net::ERR_ABORTED":  # requests that are cancelled when the page is left
            self.faults.append(f"{request.failure}: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.frame.parent_frame is None:
            self.answer = response
        if response.status >= 400 and not response.request.is_navigation_request():
            self.faults.append(f"{response.status}: {response.url}")

    def move_to(self, url: str) -> None:
        """Visit another portal; requests of the previous one's pages that are still running are no faults."""
        self.url = url
        self._hosts.add(urlsplit(url).netloc)

    def go(self, path: str) -> int:
        """Open a URL of the portal, and return the status."""
        response = self.page.goto(self.url + path if path.startswith("/") else path)
        assert response is not None
        return response.status

    @property
    def path(self) -> str:
        """The URL in the address bar, without the host."""
        return self.page.url.removeprefix(self.url)

    @property
    def heading(self) -> Locator:
        """The only h1 of the page."""
        return self.page.locator("h1")

    @property
    def summary(self) -> Locator:
        """The first error of a form: the summary, or the message at the only invalid field."""
        return self.page.locator(".problems, .field-error").first

    def type(self, **fields: str) -> None:
        """Fill in fields by their names."""
        self._wait_for_focus()
        for name, text in fields.items():
            field = self.page.locator(f"main [name={name}]")
            folded = self.page.locator("details:not([open])", has=self.page.locator(f"[name={name}]"))
            if folded.count():
                folded.locator("summary").click()
            field.fill(text)

    def said(self, words: str) -> str:
        """Return the translation of an English text."""
        text: str = self.translations.ugettext(words)
        return text

    def subject(self, beginning: str) -> re.Pattern[str]:
        """Return what matches the translation of the subject with this beginning."""
        whole = next((subject for subject in _SUBJECTS if subject.startswith(beginning)), beginning)
        parts = self.said(whole).split("%(organisation)s")
        return re.compile(".*".join(r"\s+".join(map(re.escape, part.split())) for part in parts))

    def press(self, button: str) -> int:
        """Press the button with this text by keyboard, wait for the next page, and return its status."""
        self._wait_for_focus()
        with self.page.expect_navigation() as navigation:
            press_enter(self.page.get_by_role("button", name=self.said(button), exact=True))
        return navigation.value.status

    def _wait_for_focus(self) -> None:
        """Wait until the page has focused its autofocus field; otherwise Chromium logs a message."""
        if self.page.evaluate("document.activeElement === document.body && !!document.querySelector('[autofocus]')"):
            expect(self.page.locator("[autofocus]")).to_be_focused()

    def blur(self) -> None:
        """Take the focus away from the field that has it, once the page has set it."""
        self._wait_for_focus()
        self.page.evaluate("document.activeElement.blur()")

    def follow(self, link: str) -> int:
        """Click the link with this text, and return the status of the next page."""
        with self.page.expect_navigation() as navigation:
            self.page.get_by_role("link", name=self.said(link), exact=True).click()
        return navigation.value.status

    def register(self, email: str, password: str = PASSWORD, first: str = "Ada", last: str = "Quill") -> int:
        """Register, up to the page that asks to check the email."""
        self.go("/register")
        self.type(email=email, password=password, first_name=first, last_name=last)
        return self.press("Create an account")

    def confirm(self, email: str) -> int:
        """Open the link in the newest email and press its button."""
        self.go(self.link_to(email))
        return self.press("Confirm email address")

    def join(self, email: str) -> None:
        """Register and confirm without showing the pages."""
        self.send_form("/register", email=email, password=PASSWORD, first_name="Ada", last_name="Quill")
        self.send_form(self.link_to(email))

    def send_form(self, path: str, **fields: str) -> None:
        """Fill in the form of a page and send it without showing a page, which takes a tenth of the time."""
        headers = {"Accept-Language": self.page.evaluate("navigator.language")}
        page = self.context.request.get(urljoin(self.url, path), headers=headers)
        forms = [read_form(element) for element in read(page.text())[0].one("main").all("form")]
        form = next(form for form in forms if fields.keys() <= form.fields.keys())
        sent = self.context.request.post(
            urljoin(page.url, form.action), form={**form.fields, **fields}, headers=headers
        )
        assert sent.ok, sent.status

    def sign_in(self, email: str, password: str = PASSWORD) -> int:
        """Sign in with a password."""
        self.go("/login")
        self.type(email=email, password=password)
        return self.press("Sign in")

    def add_passkey(self) -> None:
        """Add a passkey; the page needs an authenticator (keyring.py)."""
        self.go("/account/passkeys")
        assert self.press("Add a passkey") == 200

    def set_up_two_step(self) -> list[str]:
        """Turn two-step verification on; the recovery codes, which the page shows now."""
        self.go("/account/two-step")
        self.type(code=self.app_code())
        assert self.press("Turn on") == 200
        return self.page.locator(".recovery-codes").inner_text().split()

    def app_code(self) -> str:
        """Return the code that an authenticator app shows for the key on this page."""
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
        """Request a link to reset the password."""
        self.go("/password/reset")
        self.type(email=email)
        return self.press("Email me a reset link")

    def path_of_mail(self, email: str, subject: str) -> str:
        """Wait until the local mailbox has such an email, and return the path of the newest one.

        Reads the mailbox without showing it, which takes a tenth of the time.
        """
        paths: list[str] = []

        def has_arrived() -> bool:
            listed = _LISTED_MAIL.findall(self.context.request.get(f"{self.url}/dev/mailbox").text())
            paths.extend(
                path for path, title, to in listed if self.subject(subject).search(unescape(title)) and email in to
            )
            return bool(paths)

        wait_until(has_arrived)
        return paths[0]

    def find_mail(self, email: str, subject: str) -> Locator:
        """Open the local mailbox as soon as it has such an email, and return the link to the newest one."""
        path = self.path_of_mail(email, subject)
        self.go("/dev/mailbox")
        return self.page.locator(f"li a[href='{path}']")

    def open_mail(self, email: str, subject: str) -> None:
        """Open the newest such email."""
        letter = self.find_mail(email, subject)
        with self.page.expect_navigation():
            letter.click()
        expect(self.heading).to_contain_text(self.subject(subject))

    def link_to(self, email: str, subject: str = "Confirm your email") -> str:
        """Return the link in the newest such email, without opening the email in the page."""
        page = self.context.request.get(self.url + self.path_of_mail(email, subject)).text()
        link = re.search(r'(?s)<pre.*?<a href="(.*?)"', page)
        assert link is not None
        return link[1]
