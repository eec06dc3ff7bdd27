"""Forms of pages, filled in and not yet sent."""

from collections.abc import Callable

from tests.web.browser import Browser, Fields, Form
from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"


SECOND = "nine grey otters swim"


FilledForm = tuple[Browser, Form, Fields]


def login(site: Site) -> FilledForm:
    site.customer(EMAIL)
    browser = site.browser()
    shown = browser.open("/login?next=/account/password").form()
    return browser, shown, {"email": EMAIL, "password": PASSWORD, "remember": "y"}


def register(site: Site) -> FilledForm:
    browser = site.browser()
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "O'Quill"}
    more = {"phone": "+420777123456", "company_name": "Q & Co", "newsletter": "y"}
    return browser, browser.open("/register?ref=Abcdefgh12345678").form(), {**typed, **more}


def resend(site: Site) -> FilledForm:
    browser = site.browser()
    return browser, browser.follow(browser.register(EMAIL, PASSWORD)).form("/register/resend"), {}


def verify(site: Site) -> FilledForm:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    return browser, browser.open(site.link(EMAIL)).form(), {}


def verify_elsewhere(site: Site) -> FilledForm:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()
    return browser, browser.open(site.link(EMAIL)).form(), {"password": PASSWORD}


def ask_for_reset(site: Site) -> FilledForm:
    site.customer(EMAIL)
    browser = site.browser()
    return browser, browser.open("/password/reset").form(), {"email": EMAIL}


def reset(site: Site) -> FilledForm:
    site.customer(EMAIL).ask_for_reset(EMAIL)
    browser = site.browser()
    return browser, browser.open(site.link(EMAIL)).form(), {"password": SECOND}


def change_password(site: Site) -> FilledForm:
    browser = site.customer(EMAIL)
    return browser, browser.open("/account/password").form(), {"current_password": PASSWORD, "password": SECOND}


FILLED_FORMS: list[Callable[[Site], FilledForm]] = [
    login,
    register,
    resend,
    verify,
    verify_elsewhere,
    ask_for_reset,
    reset,
    change_password,
]
