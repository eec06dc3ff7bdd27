"""An authenticator app on a customer's phone, and what people do with it on the pages."""

from dataclasses import dataclass

import pyotp
from sqlalchemy import update

from portal.storage.models import SecondStep
from tests.web.browser import Browser, Page
from tests.web.conftest import Site

SETTINGS, SIGN_IN = "/account/two-step", "/login/two-step"


@dataclass
class Phone:
    """The customer's app, and the recovery codes that were shown once."""

    site: Site
    secret: str
    recovery_codes: list[str]

    def code(self) -> str:
        """Return the app's next code; time passes, since no code is accepted twice."""
        with self.site.context.database.write() as connection:
            connection.execute(update(SecondStep).values(last_time_step=0))
        return pyotp.TOTP(self.secret).now()


def secret_on(page: Page) -> str:
    return page.tree.one("main").one("span", class_="reference").text.replace(" ", "")


def codes_on(page: Page) -> list[str]:
    return page.tree.one("main").one("pre").text.split()


def set_up(site: Site, browser: Browser) -> Phone:
    """Turn it on in a signed-in browser."""
    page = browser.open(SETTINGS)
    secret = secret_on(page)
    codes = browser.post(page.form(SETTINGS), {"code": pyotp.TOTP(secret).now()})
    assert codes.status == 200, codes.words
    return Phone(site, secret, codes_on(codes))


def pass_step(browser: Browser, code: str, **fields: str) -> Page:
    return browser.fill(SIGN_IN, {"code": code, **fields}, submit_to=SIGN_IN)
