"""The browser and customers with which the states are reached, and the simplest states."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.browser.keyring import keyring
from tests.browser.visitor import Visitor
from tests.cli.process import run_portal, wait_until

SHOP_HOST = "kamen.localhost"
SHOP_NAME = "Kámen & syn"
SITE_HOST = f"{'-'.join(['our-little-shop'] * 4)}.example.com"
"""The host of a site that customers come from and return to."""
_LOGO = Path(__file__).resolve().parents[2] / "static" / "favicon.svg"
ADA = "ada@example.com"
FORGETFUL = "forgetful@example.com"
CLOSED = "closed@example.com"
STEPPING = "stepping@example.com"
KEYED = "keyed@example.com"
MOVING, MOVED = "moving@example.com", "moved@example.com"


@dataclass
class Stage:
    """One browser, cleared for each state, and customers, each created by the first state that needs it."""

    visitor: Visitor
    instance: Path
    url: str
    failing_url: str

    def cleared(self, cookies: Any = (), *, url: str | None = None) -> Visitor:
        """Return the visitor without cookies and typed addresses, or with the cookies of a customer."""
        self.visitor.page.evaluate("location.origin === 'null' || sessionStorage.clear()")
        self.visitor.move_to(url or self.url)
        self.visitor.context.clear_cookies()
        self.visitor.context.add_cookies(cookies)
        return self.visitor

    @cached_property
    def joined(self) -> tuple[str, Any]:
        """The used link that confirmed Ada's address, and the cookies of her signed-in browser."""
        visitor = self.cleared()
        visitor.register(ADA)
        link = visitor.link_to(ADA)
        visitor.go(link)
        visitor.press("Confirm email address")
        return link, visitor.context.cookies()

    @cached_property
    def stepping(self) -> tuple[Any, list[str]]:
        """The cookies of a customer who has two-step verification, signed in by it, and the recovery codes."""
        visitor = self.cleared()
        visitor.join(STEPPING)
        codes = visitor.set_up_two_step()
        return visitor.context.cookies(), codes

    @cached_property
    def keyed(self) -> tuple[Any, str]:
        """The cookies of a customer with a passkey, and the path of the passkey's pages."""
        visitor = self.cleared()
        visitor.join(KEYED)
        with keyring(visitor.page) as keys:
            keys.add()
            visitor.add_passkey()
        rename = visitor.page.get_by_role("link", name=visitor.said("Rename"), exact=True).get_attribute("href")
        assert rename is not None
        return visitor.context.cookies(), rename.removesuffix("/rename")

    @property
    def ada(self) -> Any:
        """The cookies of a signed-in customer."""
        return self.joined[1]

    @cached_property
    def reset_link(self) -> str:
        """An unused link that resets Ada's password."""
        assert self.ada
        visitor = self.cleared()
        visitor.ask_for_reset(ADA)
        return visitor.link_to(ADA, "Set a new password")

    @cached_property
    def waiting(self) -> tuple[str, Any]:
        """An unused link that confirms an address, and the cookies of the browser that registered."""
        visitor = self.cleared()
        visitor.register("waiting@example.com")
        return visitor.link_to("waiting@example.com"), visitor.context.cookies()

    @cached_property
    def shop_url(self) -> str:
        """The URL of an organisation with all optional settings, at a host that resolves to this machine."""
        added = run_portal(
            self.instance,
            *("organisation", "add", "kamen", "--name", SHOP_NAME, "--hostname", SHOP_HOST, "--accent", "ffcc00"),
            *("--privacy-url", "https://kamen.example/privacy", "--terms-url", "https://kamen.example/terms"),
            *("--support-email", "help@kamen.example.com", "--logo", str(_LOGO)),
        )
        assert added.returncode == 0, added.stderr
        url = self.url.replace("localhost", SHOP_HOST)
        visitor = self.cleared(url=url)

        def is_known() -> bool:
            visitor.go("/login")
            return SHOP_NAME in visitor.page.title()

        wait_until(is_known)  # the server has cached the organisations
        return url

    @cached_property
    def handover_url(self) -> str:
        """The URL of a page that gets handover codes."""
        origin = f"https://{SITE_HOST}"
        listed = ("--return-origin", origin, "--handover-url", f"{origin}/in")
        changed = run_portal(self.instance, "organisation", "set", "default", *listed)
        assert changed.returncode == 0, changed.stderr
        visitor = self.cleared(self.ada)

        def is_known() -> bool:
            visitor.go(f"/login?{urlencode({'return_url': f'{origin}/in', 'nonce': 'made-up-by-the-page_22'})}")
            return visitor.path != "/account"

        wait_until(is_known)  # the server has cached the organisations
        return f"{origin}/in"

    @cached_property
    def forgetful(self) -> str:
        """A used link that has reset a password. Its customer has received every kind of email."""
        visitor = self.cleared()
        visitor.join(FORGETFUL)
        visitor.go("/reauthenticate")
        visitor.press("Email me a code")
        with keyring(visitor.page) as keys:
            keys.add()
            visitor.add_passkey()
            visitor.follow("Remove")
            visitor.press("Remove the passkey")
        codes = visitor.set_up_two_step()
        visitor.press("Sign out")
        visitor.sign_in(FORGETFUL)
        visitor.enter_recovery_code(codes[0])
        visitor.go("/account/two-step")
        visitor.press("Turn off two-step verification")
        visitor.set_up_two_step()
        reset = run_portal(self.instance, "customer", "reset-two-step", FORGETFUL, "--reason", "Lost phone")
        assert reset.returncode == 0, reset.stderr
        visitor.press("Sign out")
        visitor.register(FORGETFUL)
        visitor.ask_for_reset(FORGETFUL)
        link = visitor.link_to(FORGETFUL, "Set a new password")
        visitor.go(link)
        visitor.type(password="nine grey otters swim")
        visitor.press("Save new password")
        self.cleared().sign_in(FORGETFUL, "nine grey otters swim")
        return link

    @cached_property
    def closed(self) -> str:
        """The link that keeps the account of CLOSED, who has deleted it, and registered again since."""
        visitor = self.cleared()
        visitor.join(CLOSED)
        visitor.go("/account/delete")
        visitor.page.get_by_role("checkbox").check()
        visitor.press("Delete my account")
        visitor.register(CLOSED)
        return visitor.link_to(CLOSED, "Your account with")

    @cached_property
    def moved(self) -> str:
        """The address of a customer who changed to another one and back, and so got each email about that."""
        assert self.ada
        visitor = self.cleared()
        visitor.join(MOVING)
        for email in (ADA, MOVED):
            visitor.go("/account/email")
            visitor.type(email=email)
            visitor.press("Continue")
        visitor.go(visitor.link_to(MOVED, "Confirm your new email"))
        visitor.press("Change email address")
        visitor.go(visitor.link_to(MOVING, "The email address of your"))
        visitor.press("Undo the change")
        return MOVING


State = Callable[[Stage], object]
"""A function that brings the visitor of a stage to a page."""


def show(visitor: Visitor, path: str, press: str, fields: dict[str, str]) -> Visitor:
    visitor.go(path)
    visitor.type(**fields)
    if press:
        visitor.press(press)
    return visitor


def opened(path: str, *, press: str = "", **fields: str) -> State:
    """Return the state of a page, or of its response to a form."""
    return lambda stage: show(stage.cleared(), path, press, fields)


def signed_in(path: str, *, press: str = "", **fields: str) -> State:
    """Return the state of a page of a signed-in customer, or of its response to a form."""
    return lambda stage: show(stage.cleared(stage.ada), path, press, fields)
