"""Each request or command of a customer, a shop and an operator, prepared so that a test can send it alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pyotp

from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from portal.domain.operations import ban
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.organisation_settings import (
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.values.email import Address, parse_email
from portal.storage.backends import TransactionConflict
from tests.api.shop import Shop
from tests.passkeys import Authenticator
from tests.web.authenticator import SETTINGS, SIGN_IN, Phone, pass_step, secret_on, set_up
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page
from tests.web.post import code_in, not_me_link_in
from tests.web.test_passkeys import LIST as PASSKEYS
from tests.web.test_passkeys import SIGN_IN as SIGN_IN_WITH_PASSKEY
from tests.web.test_passkeys import add, ask

ADA = "ada@example.com"
PORTAL = Portal(languages=["en"], hostname="portal.example.com")
RETURN = "https://shop.example.com/welcome"
NONCE = "made-up-by-the-page_22"
Answer = tuple[int, Any]
Act = Callable[[], Answer]
"""Something that somebody does, in one request: the status, and what else of the answer must not change."""


@dataclass
class World:
    """A portal with a customer and a shop, who do the same over and over."""

    site: Site
    shop: Shop
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    password: str = PASSWORD
    """Ada's."""

    def address(self) -> str:
        """One that nobody has yet."""
        return f"somebody{next(self.numbers)}@example.com"

    def new_password(self) -> str:
        return f"eleven grey otters dive {next(self.numbers)}"

    def guest(self) -> Address:
        email = self.address()
        self.site.guest(email)
        return parse_email(email)

    def ada(self) -> Browser:
        """Another browser of the customer who is there from the start, signed in."""
        browser = self.site.browser()
        assert browser.sign_in(ADA, self.password).status == 302
        return browser


def sending(browser: Browser, path: str, *, submit_to: str | None = None, **typed: Any) -> Act:
    """Open a page, and send its form later."""
    form = browser.open(path).form(submit_to)

    def send() -> Answer:
        page = browser.post(form, typed)
        if page.status == 503:
            assert_error_page(page, 503)
        return page.status, page.headers.get("Location", "").partition("?")[0]

    return send


def asking(world: World, endpoint: str, **body: Any) -> Act:
    def ask() -> Answer:
        answer = world.shop.post(endpoint, **body)
        return answer.status, answer.json.get("errorCode")

    return ask


def remembering(world: World, password: str, act: Act) -> Act:
    """What makes a password Ada's, once it has come to its end."""

    def remember() -> Answer:
        answer = act()
        if answer[0] != 503:
            world.password = password
        return answer

    return remember


def registration(world: World, email: str) -> Browser:
    browser = world.site.browser()
    assert browser.register(email, PASSWORD).status == 302
    return browser


def registers(world: World) -> Act:
    names = {"first_name": "Ada", "last_name": "Quill"}
    return sending(world.site.browser(), "/register", email=world.address(), password=PASSWORD, **names)


def asks_for_the_mail_again(world: World) -> Act:
    return sending(registration(world, world.address()), "/register/code", submit_to="/register/resend")


def confirms(world: World) -> Act:
    email = world.address()
    return sending(registration(world, email), world.site.link(email))


def confirms_elsewhere(world: World) -> Act:
    email = world.address()
    registration(world, email)
    return sending(world.site.browser(), world.site.link(email), password=PASSWORD)


def confirms_by_code(world: World) -> Act:
    email = world.address()
    browser = registration(world, email)
    return sending(browser, "/register/code", submit_to="/register/code", code=code_in(world.site.mails(email)[-1]))


def signs_in(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=ADA, password=world.password)


def mistypes(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=ADA, password="wrong")


def signs_out(world: World) -> Act:
    return sending(world.ada(), "/account", submit_to="/logout")


def asks_for_a_link(world: World) -> Act:
    return sending(world.site.browser(), "/login/link", email=ADA)


def signs_in_by_link(world: World) -> Act:
    browser = world.site.browser()
    browser.fill("/login/link", {"email": ADA})
    return sending(browser, world.site.link(ADA))


def signs_in_by_code(world: World) -> Act:
    browser = world.site.browser()
    browser.fill("/login/link", {"email": ADA})
    return sending(browser, "/login/code", submit_to="/login/code", code=code_in(world.site.mails(ADA)[-1]))


def asks_for_a_reset(world: World) -> Act:
    return sending(world.site.browser(), "/password/reset", email=ADA)


def resets(world: World) -> Act:
    world.site.browser().ask_for_reset(ADA)
    password = world.new_password()
    return remembering(world, password, sending(world.site.browser(), world.site.link(ADA), password=password))


def changes_the_password(world: World) -> Act:
    typed = {"current_password": world.password, "password": world.new_password()}
    send = sending(world.ada(), "/account/password", submit_to="/account/password", **typed)
    return remembering(world, typed["password"], send)


def chooses_a_language(world: World) -> Act:
    return sending(world.ada(), "/account", submit_to="/language", locale="en")


def changes_the_profile(world: World) -> Act:
    city = f"Brno {next(world.numbers)}"
    return sending(world.ada(), "/account/profile", submit_to="/account/profile", city=city)


def ends_a_session(world: World) -> Act:
    here, _there = world.ada(), world.ada()
    path = next(form.action for form in here.open("/account/sessions").forms if form.action.endswith("/end"))
    return sending(here, "/account/sessions", submit_to=path)


def ends_other_sessions(world: World) -> Act:
    here, _there = world.ada(), world.ada()
    return sending(here, "/account/sessions", submit_to="/account/sessions/end-others")


def asks_for_a_code(world: World) -> Act:
    return sending(world.ada(), "/reauthenticate", submit_to="/reauthenticate/email")


def confirms_who_she_is_by_code(world: World) -> Act:
    browser = world.ada()
    browser.fill("/reauthenticate", submit_to="/reauthenticate/email")
    code = code_in(world.site.mails(ADA)[-1])
    return sending(browser, "/reauthenticate/code", submit_to="/reauthenticate/code", code=code)


def confirms_who_she_is(world: World) -> Act:
    return sending(world.ada(), "/reauthenticate", submit_to="/reauthenticate", password=world.password)


def signed_in_guest(world: World, email: str) -> Browser:
    """The browser of somebody who has no password."""
    browser = world.site.browser()
    browser.fill("/login/link", {"email": email})
    browser.fill(world.site.link(email))
    return browser


def sets_a_first_password(world: World) -> Act:
    browser = signed_in_guest(world, world.guest().email)
    return sending(browser, "/account/password", submit_to="/account/password", password=PASSWORD)


def says_it_was_somebody_else(world: World) -> Act:
    email = world.guest().email
    for _ in range(2):
        signed_in_guest(world, email)
    return sending(world.site.browser(), urlsplit(not_me_link_in(world.site.mails(email)[-1])).path)


def gets_a_copy_of_the_data(world: World) -> Act:
    return sending(world.ada(), "/account/data", submit_to="/account/export")


def deletes_the_account(world: World) -> Act:
    browser = signed_in_guest(world, world.guest().email)
    return sending(browser, "/account/delete", submit_to="/account/delete", confirm="y")


def keeps_the_account(world: World) -> Act:
    email = world.guest().email
    signed_in_guest(world, email).fill("/account/delete", {"confirm": "y"}, submit_to="/account/delete")
    return sending(world.site.browser(), world.site.link(email))


def with_a_second_step(world: World) -> tuple[Browser, Phone, str]:
    """A customer who has just set up two-step verification, with the address."""
    email = world.address()
    browser = world.site.customer(email)
    return browser, set_up(world.site, browser), email


def asked_for_a_code(world: World) -> tuple[Browser, Phone]:
    """A customer whose sign-in waits for the second step."""
    _, phone, email = with_a_second_step(world)
    browser = world.site.browser()
    assert browser.sign_in(email, PASSWORD).location == SIGN_IN
    return browser, phone


def in_a_trusted_browser(world: World) -> tuple[Browser, Phone]:
    """A customer who is signed in by the password alone."""
    _, phone, email = with_a_second_step(world)
    browser = world.site.browser()
    browser.sign_in(email, PASSWORD)
    assert pass_step(browser, phone.code(), trust="y").status == 302
    browser.sign_out()
    assert browser.sign_in(email, PASSWORD).location == "/account"
    return browser, phone


def sets_two_step_up(world: World) -> Act:
    browser = world.site.customer(world.address())
    return sending(browser, SETTINGS, submit_to=SETTINGS, code=pyotp.TOTP(secret_on(browser.open(SETTINGS))).now())


def makes_recovery_codes(world: World) -> Act:
    return sending(with_a_second_step(world)[0], SETTINGS, submit_to=f"{SETTINGS}/recovery-codes")


def turns_two_step_off(world: World) -> Act:
    return sending(with_a_second_step(world)[0], SETTINGS, submit_to=f"{SETTINGS}/off")


def asks_for_codes_everywhere_again(world: World) -> Act:
    browser, _ = in_a_trusted_browser(world)
    return sending(browser, SETTINGS, submit_to=f"{SETTINGS}/forget-browsers")


def signs_in_with_a_second_step(world: World) -> Act:
    return sending(world.site.browser(), "/login", email=with_a_second_step(world)[2], password=PASSWORD)


def enters_a_code(world: World) -> Act:
    browser, phone = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code=phone.code(), trust="y")


def mistypes_a_code(world: World) -> Act:
    browser, _ = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code="12345")


def enters_a_recovery_code(world: World) -> Act:
    browser, phone = asked_for_a_code(world)
    return sending(browser, SIGN_IN, submit_to=SIGN_IN, code=phone.recovery_codes[0])


def confirms_who_she_is_by_the_second_step(world: World) -> Act:
    browser, phone = in_a_trusted_browser(world)
    return sending(browser, "/reauthenticate", submit_to="/reauthenticate/two-step", code=phone.code())


def with_a_passkey(world: World) -> tuple[Browser, Authenticator]:
    """A customer who has just added a passkey, and the device with it."""
    browser, keys = world.site.customer(world.address()), Authenticator(world.site.settings.base_url, counts=True)
    assert add(browser, keys).status == 302
    return browser, keys


def answering(browser: Browser, path: str, keys: Authenticator, submit_to: str) -> Act:
    """Ask for options on a page, and send the answer of a passkey later."""
    page = browser.open(path)
    asked = ask(browser, submit_to, page)
    sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    data = {**page.form(path).fields, **sent}

    def send() -> Answer:
        answer = browser.send(submit_to, "POST", data=data)
        return answer.status, answer.headers.get("Location", "").partition("?")[0]

    return send


def adds_a_passkey(world: World) -> Act:
    browser, keys = world.site.customer(world.address()), Authenticator(world.site.settings.base_url)
    asked = ask(browser, PASSKEYS, browser.open(PASSKEYS))
    sent = {"credential": keys.create(asked["options"]), "challenge": asked["challenge"]}
    return sending(browser, PASSKEYS, submit_to=PASSKEYS, **sent)


def signs_in_with_a_passkey(world: World) -> Act:
    _, keys = with_a_passkey(world)
    return answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)


def signs_in_with_a_copied_passkey(world: World) -> Act:
    _, keys = with_a_passkey(world)
    answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)()
    keys.credentials[0].sign_count = 0
    return answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)


def confirms_who_she_is_by_a_passkey(world: World) -> Act:
    browser, keys = with_a_passkey(world)
    return answering(browser, "/reauthenticate", keys, "/reauthenticate/passkey")


def page_of_passkey(browser: Browser, which: str) -> str:
    (path,) = (link.get("href") for link in browser.open(PASSKEYS).tree.all("a") if which in link.get("href"))
    return path


def renames_a_passkey(world: World) -> Act:
    browser, _ = with_a_passkey(world)
    path = page_of_passkey(browser, "rename")
    return sending(browser, path, submit_to=path, name="Blue key")


def removes_a_passkey(world: World) -> Act:
    browser, _ = with_a_passkey(world)
    path = page_of_passkey(browser, "remove")
    return sending(browser, path, submit_to=path)


def another_customer(world: World) -> tuple[Browser, str]:
    """Somebody whose address may change."""
    email = world.address()
    return world.site.customer(email), email


def request_address(world: World, browser: Browser) -> str:
    email = world.address()
    assert browser.fill("/account/email", {"email": email}, submit_to="/account/email").status == 302
    return email


def asks_for_another_address(world: World) -> Act:
    return sending(world.ada(), "/account/email", submit_to="/account/email", email=world.address())


def cancels_the_change_of_address(world: World) -> Act:
    browser, _ = another_customer(world)
    request_address(world, browser)
    return sending(browser, "/account/email", submit_to="/account/email/cancel")


def changes_the_address(world: World) -> Act:
    browser, _ = another_customer(world)
    return sending(world.site.browser(), world.site.link(request_address(world, browser)))


def changes_the_address_by_code(world: World) -> Act:
    browser, _ = another_customer(world)
    code = code_in(world.site.mails(request_address(world, browser))[-1])
    return sending(browser, "/account/email/code", submit_to="/account/email/code", code=code)


def undoes_the_change_of_address(world: World) -> Act:
    browser, email = another_customer(world)
    browser.fill(world.site.link(request_address(world, browser)))
    return sending(world.site.browser(), world.site.link(email))


def goes_back_to_the_shop(world: World) -> Act:
    browser = world.ada()
    form = browser.send(f"/login?{urlencode({'return_url': RETURN, 'nonce': NONCE})}").form("/continue")

    def go() -> Answer:
        page = browser.post(form)
        return page.status, page.headers.get("Location", "").partition("?")[0]

    return go


def shop_redeems(world: World) -> Act:
    browser = world.ada()
    page = browser.send(f"/login?{urlencode({'return_url': RETURN, 'nonce': NONCE})}")
    (code,) = parse_qs(urlsplit(browser.post(page.form("/continue")).location).query)["code"]
    return asking(world, "redeem-handover", code=code, nonce=NONCE)


def shop_signs_in(world: World) -> Act:
    return asking(world, "login", email=ADA, password=world.password)


def shop_signs_in_by_magic_auth(world: World) -> Act:
    return asking(world, "magic-auth", email=world.address(), firstName="Ada")


def shop_registers(world: World) -> Act:
    return asking(world, "register-account", email=world.address(), password=PASSWORD)


def shop_confirms(world: World) -> Act:
    email = world.address()
    registration(world, email)
    return asking(world, "register-account-verify", token=world.site.link(email).rpartition("/")[2])


def shop_asks_for_a_reset(world: World) -> Act:
    return asking(world, "reset-password", email=ADA)


def shop_resets(world: World) -> Act:
    world.site.browser().ask_for_reset(ADA)
    token = world.site.link(ADA).rpartition("/")[2]
    password = world.new_password()
    return remembering(world, password, asking(world, "set-new-password", token=token, password=password))


def shop_signs_out(world: World) -> Act:
    answer = world.shop.post("login", email=ADA, password=world.password)
    return asking(world, "logout", identityId=world.shop.identity(answer))


def by_operator(do: Callable[[], object]) -> Act:
    def act() -> Answer:
        try:
            do()
        except TransactionConflict:
            return 503, None
        return 0, None

    return act


def operator_bans(world: World) -> Act:
    return by_operator(partial(ban.ban, world.site.context, 1, world.guest(), "spam"))


def operator_lifts_a_ban(world: World) -> Act:
    guest = world.guest()
    ban.ban(world.site.context, 1, guest, "spam")
    return by_operator(partial(ban.unban, world.site.context, 1, guest))


def operator_deletes(world: World) -> Act:
    return by_operator(partial(delete_customer, world.site.context, 1, world.guest()))


def operator_ends_sessions(world: World) -> Act:
    assert world.ada().is_signed_in
    return by_operator(partial(end_sessions, world.site.context, 1, parse_email(ADA)))


def operator_makes_a_key(world: World) -> Act:
    return by_operator(partial(api_keys.create, world.site.context, 1, KeyKind.DEVELOPER))


def operator_revokes_a_key(world: World) -> Act:
    key_id, _ = api_keys.create(world.site.context, 1, KeyKind.DEVELOPER)
    return by_operator(partial(api_keys.revoke, world.site.context, key_id))


def operator_adds_an_organisation(world: World) -> Act:
    slug = f"shop{next(world.numbers)}"
    return by_operator(partial(add_organisation, world.site.context, slug, {"name": "Shop"}, PORTAL))


def operator_changes_an_organisation(world: World) -> Act:
    given: OrganisationChanges = {"name": f"Shop {next(world.numbers)}"}
    return by_operator(partial(change_organisation, world.site.context, "default", given, PORTAL))


def operator_resets_two_step(world: World) -> Act:
    address = parse_email(with_a_second_step(world)[2])
    return by_operator(partial(reset_two_step, world.site.context, 1, address, "lost phone"))


SINGLE_REQUESTS: list[Callable[[World], Act]] = [
    *(registers, asks_for_the_mail_again, confirms, confirms_elsewhere, confirms_by_code),
    *(signs_in, mistypes, signs_out, asks_for_a_link, signs_in_by_link, signs_in_by_code),
    *(asks_for_a_reset, resets, changes_the_password, chooses_a_language),
    *(changes_the_profile, ends_a_session, ends_other_sessions, sets_a_first_password, says_it_was_somebody_else),
    *(gets_a_copy_of_the_data, deletes_the_account, keeps_the_account),
    *(asks_for_a_code, confirms_who_she_is_by_code, confirms_who_she_is),
    *(sets_two_step_up, makes_recovery_codes, turns_two_step_off, asks_for_codes_everywhere_again),
    *(signs_in_with_a_second_step, enters_a_code, mistypes_a_code, enters_a_recovery_code),
    *(confirms_who_she_is_by_the_second_step, operator_resets_two_step),
    *(adds_a_passkey, renames_a_passkey, removes_a_passkey, confirms_who_she_is_by_a_passkey),
    *(signs_in_with_a_passkey, signs_in_with_a_copied_passkey),
    *(asks_for_another_address, cancels_the_change_of_address, changes_the_address, changes_the_address_by_code),
    undoes_the_change_of_address,
    *(goes_back_to_the_shop, shop_redeems, shop_signs_in, shop_signs_in_by_magic_auth, shop_registers, shop_confirms),
    *(shop_asks_for_a_reset, shop_resets, shop_signs_out),
    *(operator_bans, operator_lifts_a_ban, operator_deletes, operator_ends_sessions),
    *(operator_makes_a_key, operator_revokes_a_key, operator_adds_an_organisation),
    operator_changes_an_organisation,
]
