"""Sites that show the portal in a frame, over TLS: shops that may, and a site that may not."""

import json
import re
import ssl
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request
from playwright.sync_api import BrowserContext, FrameLocator, Page, Playwright, expect

from demo.front import Front, fronting
from portal import create_app
from portal.app import context_of
from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from portal.domain.operations.organisation_settings import OrganisationChanges, Portal, change_organisation
from portal.instance_dir import upgrade_database
from portal.settings import load_settings
from tests.browser.chromium import LAUNCH_ARGUMENTS
from tests.browser.conftest import serving_here
from tests.browser.visitor import PASSWORD, PATIENCE_MS, press_enter
from tests.cli.process import environment, serving, wait_until
from tests.mail.sink import Sink
from tests.mail.smtp_connection import CERTIFICATE
from tests.web.post import code_in, link_in

PORTAL, SHOP, OTHER, THIEF = "portal.test", "shop.test", "other.test", "thief.test"
"""The sites SHOP and OTHER may show the portal in a frame; THIEF may not."""
_NOTE_EVENTS = """
  window.told = []; window.heard = [];
  for (const type of ["portal:resize", "portal:signed-in", "portal:signed-out"])
    document.addEventListener(type, ({ detail, target }) => told.push({ type, detail, on: target.id }));
  addEventListener("message", ({ data, origin }) => heard.push({ data, origin }));
"""
COOKIES = {
    "blocked": {"profile": {"cookie_controls_mode": 1}},
    "allowed": {"profile": {"cookie_controls_mode": 0}},
    # Partitioned cookies are blocked, too.
    "refused": {
        "profile": {
            "cookie_controls_mode": 0,
            "content_settings": {"exceptions": {"cookies": {f"[*.]{PORTAL},[*.]{SHOP}": {"setting": 2}}}},
        }
    },
}
"""Settings for third-party cookies, which Chromium reads only from a file of the profile."""


@dataclass(frozen=True)
class Parents:
    """The portal, and the sites that show it in a frame."""

    front: Front
    sink: Sink
    key: str

    @property
    def portal(self) -> str:
        return self.front.url(PORTAL)

    @property
    def shop(self) -> str:
        return self.front.url(SHOP)

    def redeem(self, code: str, nonce: str) -> dict[str, Any]:
        """Redeem a handover code as the shop's server does."""
        return self._ask("redeem-handover", {"code": code, "nonce": nonce})

    def _ask(self, endpoint: str, body: Mapping[str, str]) -> dict[str, Any]:
        address = f"https://localhost:{self.front.server_port}/api/v1/customer/{endpoint}"
        headers = {"Host": PORTAL, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        trusting = ssl._create_unverified_context()  # noqa: S323 - a self-signed certificate
        asked = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(asked, context=trusting) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def mailed(self, email: str, subject: str) -> tuple[str, str]:
        """Return code and link of the newest email with such a subject."""

        def found() -> list[Any]:
            return [mail for mail in self.sink.messages if mail["To"] == email and subject in mail["Subject"]]

        wait_until(lambda: bool(found()))
        mail = found()[-1]
        return code_in(mail), link_in(mail)


@dataclass
class Shopper:
    """A customer on a page of a site that shows the portal."""

    parents: Parents
    page: Page

    def visit(self, site: str = SHOP, path: str = "/", **options: str) -> None:
        """Open a page that shows the portal; `options` are data attributes of its script tag."""
        self.page.goto(f"{self.parents.front.url(site)}{path}?{urlencode(options)}")

    @property
    def frame(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @property
    def height(self) -> float:
        """The height of the frame on the page."""
        height: float = self.page.locator("iframe").evaluate("frame => frame.getBoundingClientRect().height")
        return height

    def fill(self, button: str, /, frame: FrameLocator | None = None, **fields: Any) -> None:
        """Fill in fields in the frame and press a button with the keyboard."""
        frame = frame or self.frame
        for name, text in fields.items():
            frame.locator(f"main [name={name}]").fill(text)
        press_enter(frame.get_by_role("button", name=button, exact=True))

    def heading(self, words: str | re.Pattern[str]) -> None:
        """Check the heading of the page in the frame."""
        expect(self.frame.locator("h1")).to_have_text(words)

    def register(self, email: str) -> None:
        """Register and confirm a customer in the frame."""
        self.fill("Create an account", email=email, password=PASSWORD, first_name="Ada", last_name="Quill")
        self.heading("Check your email")
        self.fill("Confirm email address", code=self.parents.mailed(email, "Confirm")[0])
        self.heading(re.compile("Ada Quill"))

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until a condition holds; the browser's events are processed meanwhile."""

        def is_so_by_now() -> bool:
            self.page.wait_for_timeout(10)
            return is_so()

        wait_until(is_so_by_now)

    def told(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the page has received a number of events of a type, and return them."""
        self.page.wait_for_function(
            "([type, count]) => told.filter(event => event.type === type).length >= count", arg=[event, count]
        )
        found: list[dict[str, Any]] = self.page.evaluate("told")
        return [one for one in found if one["type"] == event]


def pages(portal: str) -> Flask:
    """Create the app with the pages of all sites."""
    site = Flask("sites")

    @site.get("/")
    def shows_the_portal() -> Response:
        options = {name: value for name, value in request.args.items() if name.startswith("data-")}
        attributes = " ".join(f'{name}="{value}"' for name, value in options.items())
        script = f'<script src="{portal}/embed.js" {attributes}></script>'
        scripts = f"<p>{script}</p>" * int(request.args.get("times", 1))
        place = '<div id="place"></div>'
        if "head" in request.args:
            return page(place, script)
        return page(scripts + place if "early" in request.args else place + scripts)

    @site.get("/bare")
    def frames_it_without_our_script() -> Response:
        return page(f'<iframe src="{portal}{request.args.get("path", "/login")}" width="400" height="600"></iframe>')

    @site.get("/forger")
    def sends_what_it_likes() -> Response:
        return page("")

    @site.get("/site.js")
    def script() -> Response:
        return Response(_NOTE_EVENTS, mimetype="text/javascript")

    def page(body: str, script: str = "") -> Response:
        head = '<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">'
        response = Response(f'{head}<script src="/site.js"></script>{script}<h1>Shop</h1>{body}', mimetype="text/html")
        if "strict" in request.args:
            response.headers["Content-Security-Policy"] = (
                f"default-src 'none'; script-src 'self' {portal}; frame-src {portal}; img-src data:;"
                " require-trusted-types-for 'script'"
            )
        return response

    return site


@contextmanager
def parents(folder: Path) -> Iterator[Parents]:
    """Serve the portal behind a proxy, and the sites."""
    instance = folder / "instance"
    with fronting(CERTIFICATE) as front, Sink() as sink, serving_here(pages(front.url(PORTAL))) as sites:
        settings = {
            "BASE_URL": front.url(PORTAL),
            "TRUSTED_PROXIES": "1",
            "MAIL_SERVER": sink.host,
            "MAIL_PORT": str(sink.port),
            "ARGON2_TIME_COST": "1",
            "ARGON2_MEMORY_KIB": "8",
        }
        made = load_settings(environment(instance, **settings))
        upgrade_database(made)
        context = context_of(create_app(made))
        sites_of_it: OrganisationChanges = {
            "frame_ancestors": [front.url(SHOP), front.url(OTHER)],
            "return_origins": [front.url(SHOP)],
            "handover_urls": [f"{front.url(SHOP)}/"],
        }
        change_organisation(context, "default", sites_of_it, Portal(languages=("en", "cs"), hostname=PORTAL))
        key = api_keys.create(context, 1, KeyKind.PRODUCTION)[1]
        context.hasher._pool.shutdown()
        context.database.engine.dispose()
        with serving(instance, **settings) as portal:
            sites_port = int(sites.rpartition(":")[2])
            front.behind = {PORTAL: portal.port, **dict.fromkeys((SHOP, OTHER, THIEF), sites_port)}
            yield Parents(front, sink, key)


@contextmanager
def chromium_with(playwright: Playwright, executable: str, folder: Path, cookies: str) -> Iterator[BrowserContext]:
    """Start a browser with one of the cookie settings of COOKIES."""
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps(COOKIES[cookies]))
    context = playwright.chromium.launch_persistent_context(
        folder,
        executable_path=executable,
        ignore_https_errors=True,
        args=[*LAUNCH_ARGUMENTS, "--host-resolver-rules=MAP *.test 127.0.0.1"],
        locale="en-US",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()
