"""Each request of a customer, prepared up to its last step."""

from collections.abc import Callable
from contextlib import suppress

from portal.domain.operations.customers import UnknownCustomer
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.tokens import random_id
from portal.domain.values.email import parse_email
from tests.api.shop import Shop
from tests.passkeys import Authenticator
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.passkeys.steps import LIST as PASSKEYS
from tests.web.passkeys.steps import SIGN_IN as SIGN_IN_WITH_PASSKEY
from tests.web.passkeys.steps import add, ask

EMAIL = "ada@example.com"


OTHER_EMAIL = "ada.new@example.com"


OTHER_PASSWORD = "nine grey otters swim"


Send = Callable[[], int]
"""Sends a prepared request, and returns the status of the response."""


def sign_in(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()
    return lambda: browser.post(form, {"email": EMAIL, "password": PASSWORD}).status


def fail_to_sign_in(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()
    return lambda: browser.post(form, {"email": EMAIL, "password": "wrong"}).status


def look_at_account(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    return lambda: mine.send("/account").status


def look_at_profile(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    return lambda: mine.send("/account/profile").status


def sign_out(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account").form("/logout")
    return lambda: mine.post(form).status


def choose_a_language(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account").form("/language")
    return lambda: mine.post(form, {"locale": "cs"}).status


def change_the_password(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account/password").form("/account/password")
    return lambda: mine.post(form, {"current_password": PASSWORD, "password": OTHER_PASSWORD}).status


def ask_for_another_address(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account/email").form("/account/email")
    return lambda: mine.post(form, {"email": OTHER_EMAIL}).status


def ask_for_the_address(site: Site, _shop: Shop) -> Send:
    """Another customer asks for the address."""
    site.customer(EMAIL)
    other = site.browser()
    if other.sign_in(OTHER_EMAIL, PASSWORD).status != 302:
        other = site.customer(OTHER_EMAIL)
    form = other.open("/account/email").form("/account/email")
    return lambda: other.post(form, {"email": EMAIL}).status


def change_the_address(site: Site, _shop: Shop) -> Send:
    with suppress(UnknownCustomer):  # the former address was reserved for them by the previous run
        delete_customer(site.context, 1, parse_email(OTHER_EMAIL))
    site.customer(EMAIL).fill("/account/email", {"email": OTHER_EMAIL}, submit_to="/account/email")
    browser = site.browser()
    form = browser.open(site.link(OTHER_EMAIL)).form()
    return lambda: browser.post(form).status


def undo_a_change_of_address(site: Site, _shop: Shop) -> Send:
    """The request of a customer who has changed to the address that is deleted."""
    former = f"{random_id()}@example.com".lower()
    site.customer(former).fill("/account/email", {"email": EMAIL}, submit_to="/account/email")
    browser = site.browser()
    browser.fill(site.link(EMAIL))
    form = browser.open(site.link(former)).form()
    return lambda: browser.post(form).status


def ask_for_a_reset(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/password/reset").form()
    return lambda: browser.post(form, {"email": EMAIL}).status


def set_a_new_password(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    browser.ask_for_reset(EMAIL)
    form = browser.open(site.link(EMAIL)).form()
    return lambda: browser.post(form, {"password": OTHER_PASSWORD}).status


def ask_to_sign_in_by_mail(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login/link").form()
    return lambda: browser.post(form, {"email": EMAIL}).status


def log_in_by_email(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    form = browser.open(site.link(EMAIL)).form()
    return lambda: browser.post(form).status


def register_again(site: Site, _shop: Shop) -> Send:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/register").form()
    typed = {"email": EMAIL, "password": OTHER_PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    return lambda: browser.post(form, typed).status


def have_the_mail_sent_again(site: Site, _shop: Shop) -> Send:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    form = browser.open("/register/code").form("/register/resend")
    return lambda: browser.post(form).status


def confirm(site: Site, _shop: Shop) -> Send:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    form = browser.open(site.link(EMAIL)).form()
    return lambda: browser.post(form).status


def confirm_elsewhere(site: Site, _shop: Shop) -> Send:
    site.browser().register(EMAIL, PASSWORD)
    browser = site.browser()
    form = browser.open(site.link(EMAIL)).form()
    return lambda: browser.post(form, {"password": PASSWORD}).status


def get_a_copy_of_the_data(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account/data").form("/account/export")
    return lambda: mine.post(form).status


def passkey_added(browser: Browser, site: Site) -> Authenticator:
    keys = Authenticator(site.settings.base_url)
    assert add(browser, keys).status == 302
    return keys


def add_a_passkey(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    asked = ask(mine, PASSKEYS, mine.open(PASSKEYS))
    made = Authenticator(site.settings.base_url).create(asked["options"])
    form = mine.open(PASSKEYS).form(PASSKEYS)
    return lambda: mine.post(form, {"credential": made, "challenge": asked["challenge"]}).status


def remove_a_passkey(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    passkey_added(mine, site)
    (path,) = (link.get("href") for link in mine.open(PASSKEYS).tree.all("a") if "remove" in link.get("href"))
    form = mine.open(path).form(path)
    return lambda: mine.post(form).status


def sign_in_with_a_passkey(site: Site, _shop: Shop) -> Send:
    keys = passkey_added(site.customer(EMAIL), site)
    browser = site.browser()
    page = browser.open("/login")
    asked = ask(browser, SIGN_IN_WITH_PASSKEY, page)
    sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    data = {**page.form("/login").fields, **sent}
    return lambda: browser.send(SIGN_IN_WITH_PASSKEY, "POST", data=data).status


def delete_the_account(site: Site, _shop: Shop) -> Send:
    mine = site.customer(EMAIL)
    form = mine.open("/account/delete").form("/account/delete")
    return lambda: mine.post(form, {"confirm": "y"}).status


def keep_the_account(site: Site, shop: Shop) -> Send:
    assert delete_the_account(site, shop)() == 302
    browser = site.browser()
    form = browser.open(site.link(EMAIL)).form()
    return lambda: browser.post(form).status


def sign_in_at_the_shop(site: Site, shop: Shop) -> Send:
    site.customer(EMAIL)
    return lambda: shop.post("login", email=EMAIL, password=PASSWORD).status


def be_vouched_for(site: Site, shop: Shop) -> Send:
    site.customer(EMAIL)
    return lambda: shop.post("magic-auth", email=EMAIL).status


def be_looked_up(site: Site, shop: Shop) -> Send:
    site.customer(EMAIL)
    identity = shop.identity(shop.post("login", email=EMAIL, password=PASSWORD))
    return lambda: shop.ask("GET", "get-account-info", query={"identityId": identity}).status


REQUESTS = (
    sign_in,
    fail_to_sign_in,
    look_at_account,
    look_at_profile,
    sign_out,
    choose_a_language,
    change_the_password,
    ask_for_another_address,
    ask_for_the_address,
    change_the_address,
    undo_a_change_of_address,
    ask_for_a_reset,
    set_a_new_password,
    ask_to_sign_in_by_mail,
    log_in_by_email,
    register_again,
    have_the_mail_sent_again,
    confirm,
    confirm_elsewhere,
    get_a_copy_of_the_data,
    add_a_passkey,
    remove_a_passkey,
    sign_in_with_a_passkey,
    delete_the_account,
    keep_the_account,
    sign_in_at_the_shop,
    be_vouched_for,
    be_looked_up,
)


ASKED_ONCE = (look_at_account, ask_for_a_reset, ask_to_sign_in_by_mail)
"""They query the customer once, or lock with their first statement what the deletion waits for."""
