"""Two-step verification in the account and at sign-in, as people without script use it."""

import re
from datetime import timedelta
from functools import partial
from urllib.parse import unquote

import pyotp
import pytest
from sqlalchemy import select, update

from portal.domain.operations.reset_two_step import reset_two_step
from portal.domain.recent_authentication import RECENT
from portal.domain.values.email import parse_email
from portal.storage.models import Device, Identity, Organisation, PendingSignIn
from tests.web.authenticator import SETTINGS, SIGN_IN, Phone, codes_on, pass_step, secret_on, set_up
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, in_parallel
from tests.web.post import code_in

EMAIL = "ada@example.com"
NEW_PASSWORD = "nine calm otters drift"


@pytest.fixture
def phone(site: Site) -> Phone:
    return set_up(site, site.customer(EMAIL))


def require(site: Site, rule: str) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(require_two_step=rule))


def let_ten_minutes_pass(site: Site) -> None:
    past = site.context.clock() - RECENT
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=past, second_step_at=past))


def subjects(site: Site) -> list[str]:
    return [str(mail["Subject"]) for mail in site.mails(EMAIL)]


def by_link(site: Site, browser: Browser) -> Page:
    browser.fill("/login/link", {"email": EMAIL})
    return browser.fill(site.link(EMAIL))


def by_code(site: Site, browser: Browser) -> Page:
    browser.follow(browser.fill("/login/link", {"email": EMAIL}))
    return browser.fill("/login/code", {"code": code_in(site.mails(EMAIL)[-1])}, submit_to="/login/code")


def by_reset(site: Site, browser: Browser) -> Page:
    browser.fill("/password/reset", {"email": EMAIL})
    return browser.fill(site.link(EMAIL), {"password": NEW_PASSWORD})


def by_password(_site: Site, browser: Browser) -> Page:
    return browser.sign_in(EMAIL, PASSWORD)


WAYS = (by_password, by_link, by_code, by_reset)


def test_setting_up_shows_a_qr_code_the_key_and_ten_recovery_codes_once(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = browser.open(SETTINGS)
    assert len(page.tree.one("main").one("div", class_="qr-code").all("svg")) == 1
    assert "style=" not in page.text
    secret = secret_on(page)
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert secret_on(browser.open(SETTINGS)) == secret
    wrong = browser.post(page.form(SETTINGS), {"code": "000000" if pyotp.TOTP(secret).now() != "000000" else "111111"})
    assert (wrong.status, wrong.problems[0][0], secret_on(wrong)) == (422, "code", secret)
    shown = browser.post(wrong.form(SETTINGS), {"code": pyotp.TOTP(secret).now()})
    codes = codes_on(shown)
    assert len(codes) == 10
    (download,) = shown.tree.one("main").all("a", download="recovery-codes.txt")
    assert all(code in unquote(download.get("href")) for code in codes)
    later = browser.open(SETTINGS)
    assert "10 codes left" in later.words
    assert all(code not in later.text for code in codes)
    assert browser.is_signed_in
    assert "Two-step verification was turned on for Customer portal" in subjects(site)
    again = browser.post(wrong.form(SETTINGS), {"code": "123456", "csrf_token": later.forms[0].token})
    assert again.location == SETTINGS


def test_looking_stores_nothing(site: Site) -> None:
    browser = site.customer(EMAIL)
    before = site.rows()
    browser.open(SETTINGS)
    assert site.rows() == before


def test_each_customer_has_a_secret_of_their_own(site: Site) -> None:
    browser = site.customer(EMAIL)
    first = secret_on(browser.open(SETTINGS))
    browser.sign_out()
    assert secret_on(site.customer("eve@example.com").open(SETTINGS)) != first


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_leads_through_the_second_step(site: Site, phone: Phone, way: object) -> None:
    browser = site.browser()
    assert callable(way)
    assert way(site, browser).location == SIGN_IN
    assert not browser.is_signed_in
    page = browser.open(SIGN_IN)
    wrong = browser.post(page.form(SIGN_IN), {"code": "12345"})
    assert (wrong.status, wrong.problems[0][0]) == (422, "code")
    assert not browser.is_signed_in
    assert pass_step(browser, phone.code()).location == "/account"
    assert browser.is_signed_in


def test_a_link_is_used_up_and_the_second_step_still_asked(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    link = site.link(EMAIL)
    assert browser.fill(link).location == SIGN_IN
    assert site.browser().send(link).status == 410
    assert pass_step(browser, phone.recovery_codes[0]).location == "/account"


def test_it_leads_on_to_where_the_customer_wanted_to_go(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.fill("/login?next=/account/profile", {"email": EMAIL, "password": PASSWORD, "remember": "y"})
    assert pass_step(browser, phone.code()).location == "/account/profile"
    with site.context.database.read() as connection:
        newest = select(Identity.remember).order_by(Identity.id.desc()).limit(1)
        assert connection.execute(newest).scalar_one() is True


def test_a_recovery_code_signs_in_once_and_is_told_by_email(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    page = browser.open(f"{SIGN_IN}?recovery=y")
    assert page.form(SIGN_IN).fields["recovery"] == "y"
    code = phone.recovery_codes[3]
    assert browser.post(page.form(SIGN_IN), {"code": code.upper()}).location == "/account"
    assert "A recovery code for Customer portal was used" in subjects(site)
    other = site.browser()
    other.sign_in(EMAIL, PASSWORD)
    assert pass_step(other, code).status == 422


def test_one_recovery_code_in_parallel_signs_in_once(site: Site, phone: Phone) -> None:
    browsers = [site.browser(f"192.0.2.{number}") for number in range(20, 26)]
    forms = []
    for browser in browsers:
        browser.sign_in(EMAIL, PASSWORD)
        forms.append(browser.open(SIGN_IN).form(SIGN_IN))
    pairs = zip(browsers, forms, strict=True)
    answers = in_parallel([partial(browser.post, form, {"code": phone.recovery_codes[0]}) for browser, form in pairs])
    assert sorted(answer.status for answer in answers) == [302, *[422] * 5]


def test_a_pending_sign_in_belongs_to_its_browser_and_ends_after_ten_minutes(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    assert site.browser().send(SIGN_IN).location == "/login"
    form = browser.open(SIGN_IN).form(SIGN_IN)
    with site.context.database.write() as connection:
        connection.execute(update(PendingSignIn).values(expires_at=site.context.clock() - timedelta(seconds=1)))
    answer = browser.post(form, {"code": phone.code()})
    assert answer.location == "/login"
    assert "Please sign in again." in browser.follow(answer).words
    assert browser.send(SIGN_IN).location == "/login"


def test_the_form_sent_twice_signs_in_once(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    form = browser.open(SIGN_IN).form(SIGN_IN)
    assert browser.post(form, {"code": phone.code()}).location == "/account"
    again = browser.post(form, {"code": phone.code()})
    assert again.location == "/account"
    with site.context.database.read() as connection:
        assert connection.execute(select(PendingSignIn.id)).all() == []


def test_a_change_of_password_ends_pending_sign_ins(site: Site, phone: Phone) -> None:
    thief = site.browser()
    thief.sign_in(EMAIL, PASSWORD)
    by_reset(site, site.browser())
    assert thief.open(SIGN_IN).status == 200
    assert thief.send("/account").location.startswith("/login")
    with site.context.database.read() as connection:
        assert len(connection.execute(select(PendingSignIn.id)).all()) == 1


def test_guesses_are_throttled_and_recovery_codes_are_not(site: Site, phone: Phone) -> None:
    browser = site.browser("198.51.100.7")
    browser.sign_in(EMAIL, PASSWORD)
    for _ in range(10):
        assert pass_step(browser, "12345").status == 422
    throttled = pass_step(browser, phone.code())
    assert throttled.status == 429
    assert int(throttled.headers["Retry-After"]) > 0
    assert pass_step(browser, phone.recovery_codes[0]).location == "/account"


def test_a_trusted_browser_skips_it_until_the_password_changes(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    assert pass_step(browser, phone.code(), trust="y").location == "/account"
    browser.sign_out()
    assert browser.sign_in(EMAIL, PASSWORD).location == "/account"
    assert site.browser().sign_in(EMAIL, PASSWORD).location == SIGN_IN
    fields = {"current_password": PASSWORD, "password": NEW_PASSWORD}
    assert browser.fill("/account/password", fields, submit_to="/account/password").status == 302
    browser.sign_out()
    assert browser.sign_in(EMAIL, NEW_PASSWORD).location == SIGN_IN


def test_trust_ends_after_thirty_days_and_by_a_button(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code(), trust="y")
    page = browser.open(SETTINGS)
    assert "1 browser doesn't ask for a code." in page.words
    now = site.context.clock()
    with site.context.database.read() as connection:
        until = connection.execute(select(Device.trusted_until).where(Device.trusted_until.is_not(None))).scalar_one()
    assert until is not None
    assert timedelta(days=30) - timedelta(minutes=1) < until - now <= timedelta(days=30)
    path = f"{SETTINGS}/forget-browsers"
    assert browser.post(page.form(path)).location == SETTINGS
    browser.sign_out()
    assert browser.sign_in(EMAIL, PASSWORD).location == SIGN_IN


def test_a_copied_device_cookie_of_before_is_not_trusted(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    copied = browser.cookie("device")
    browser.sign_out()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code(), trust="y")
    thief = site.browser()
    thief.set_cookie(copied or "", "device")
    assert thief.sign_in(EMAIL, PASSWORD).location == SIGN_IN


def test_recent_authentication_takes_the_second_step_too(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    off = browser.open(SETTINGS).form(f"{SETTINGS}/off")
    let_ten_minutes_pass(site)
    answer = browser.post(off)
    assert answer.location == f"/reauthenticate?next={SETTINGS}/off"
    answer = browser.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate")
    assert answer.location == f"/reauthenticate/two-step?next={SETTINGS}/off"
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location.startswith("/reauthenticate")
    page = browser.open(f"/reauthenticate?next={SETTINGS}/off")
    wrong = browser.post(page.form("/reauthenticate/two-step"), {"code": "12345"})
    assert (wrong.status, wrong.problems[0][0]) == (422, "code")
    before = browser.cookie()
    answer = browser.post(wrong.form("/reauthenticate/two-step"), {"code": phone.code()})
    assert answer.location == f"{SETTINGS}/off"
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location == "/account/security"
    assert "Two-step verification was turned off for Customer portal" in subjects(site)
    assert site.browser().sign_in(EMAIL, PASSWORD).location == "/account"
    stolen = site.browser()
    stolen.set_cookie(before or "")
    assert not stolen.is_signed_in


def test_a_trusted_browser_has_not_proved_the_second_step(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code(), trust="y")
    browser.sign_out()
    browser.sign_in(EMAIL, PASSWORD)
    answer = browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/recovery-codes"))
    assert browser.send(answer.location).location.startswith("/reauthenticate/two-step")


def test_new_recovery_codes_end_the_old_ones(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    page = browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/recovery-codes"))
    new = codes_on(page)
    assert len(new) == 10
    assert not set(new) & set(phone.recovery_codes)
    other = site.browser()
    other.sign_in(EMAIL, PASSWORD)
    assert pass_step(other, phone.recovery_codes[0]).status == 422
    assert pass_step(other, new[0]).location == "/account"


@pytest.mark.parametrize("path", ["recovery-codes", "off", "forget-browsers"])
def test_an_address_of_a_button_leads_to_the_settings(site: Site, phone: Phone, path: str) -> None:
    assert site.browser().send(f"{SETTINGS}/{path}").location == SETTINGS


def test_where_it_is_required_it_is_set_up_at_the_next_sign_in(site: Site) -> None:
    site.customer(EMAIL).sign_out()
    require(site, "required")
    browser = site.browser()
    answer = browser.fill("/login?next=/account/profile", {"email": EMAIL, "password": PASSWORD})
    assert answer.location == SIGN_IN
    page = browser.open(SIGN_IN)
    secret = secret_on(page)
    assert not browser.is_signed_in
    assert browser.post(page.form(SIGN_IN), {"code": "12345"}).status == 422
    shown = browser.post(page.form(SIGN_IN), {"code": pyotp.TOTP(secret).now()})
    codes = codes_on(shown)
    (onward,) = [a.get("href") for a in shown.tree.one("main").all("a", class_="button primary")]
    assert browser.send(onward).location == "/account/profile"
    assert browser.is_signed_in
    other = site.browser()
    other.sign_in(EMAIL, PASSWORD)
    assert pass_step(other, codes[0]).location == "/account"


def test_who_came_by_magic_auth_sets_it_up_only_where_it_is_required(site: Site) -> None:
    site.guest(EMAIL)
    browser = site.browser()
    assert by_code(site, browser).location == "/account"
    browser.sign_out()
    require(site, "required")
    assert by_code(site, browser).location == SIGN_IN
    assert "Set up two-step verification" in browser.open(SIGN_IN).words


def test_where_it_is_never_wanted_it_is_not_offered(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert browser.open("/account").tree.one("main").all("a", href=SETTINGS) != []
    require(site, "never")
    site.app.extensions["portal_directory"]._snapshot = None
    assert browser.open("/account").tree.one("main").all("a", href=SETTINGS) == []
    assert browser.open("/account/security").tree.one("main").all("a", href=SETTINGS) == []
    assert browser.send(SETTINGS).status == 404


def test_the_security_page_and_the_overview_say_whether_it_is_on(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert "Set up two-step verification" in browser.open("/account").words
    set_up(site, browser)
    assert "Set up two-step verification" not in browser.open("/account").words
    assert "10 recovery codes left." in browser.open("/account/security").words


def test_registering_does_not_lead_past_the_second_step_of_a_guest(site: Site) -> None:
    site.guest(EMAIL)
    owner = site.browser()
    by_code(site, owner)
    phone = set_up(site, owner)
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    assert browser.fill(site.link(EMAIL)).location == SIGN_IN
    assert not browser.is_signed_in
    assert pass_step(browser, phone.code()).location == "/account"


def test_a_lost_phone_with_recovery_codes(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.recovery_codes[0])
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location == "/account/security"
    new_phone = set_up(site, browser)
    assert new_phone.secret != phone.secret
    browser.sign_out()
    browser.sign_in(EMAIL, PASSWORD)
    assert pass_step(browser, phone.recovery_codes[1]).status == 422
    assert pass_step(browser, new_phone.code()).location == "/account"


def test_a_lost_phone_without_recovery_codes(site: Site, phone: Phone) -> None:
    assert phone.secret
    browser = site.browser()
    by_reset(site, browser)
    assert not browser.is_signed_in
    reset_two_step(site.context, 1, parse_email(EMAIL), "Showed an ID, ticket 4711")
    assert browser.send(SIGN_IN).location == "/login"
    assert browser.sign_in(EMAIL, NEW_PASSWORD).location == "/account"
    texts = [mail.get_body(("plain",)).get_content() for mail in site.mails(EMAIL)]  # type: ignore[union-attr]
    assert len([text for text in texts if "Reason: Showed an ID, ticket 4711" in text]) == 1


def test_a_stolen_password_is_not_enough_and_leaves_a_trace(site: Site, phone: Phone) -> None:
    thief = site.browser("198.51.100.66")
    thief.sign_in(EMAIL, PASSWORD)
    assert pass_step(thief, "12345").status == 422
    owner = site.browser()
    owner.sign_in(EMAIL, PASSWORD)
    pass_step(owner, phone.code())
    words = owner.open("/account/activity").words
    assert "Sign-in begun, waiting for a code" in words
    assert "Sign-in failed: wrong code" in words
    assert "198.51.100.66" in words


@pytest.mark.parametrize("way", [by_link, by_code, by_reset])
def test_a_stolen_mailbox_is_not_enough(site: Site, phone: Phone, way: object) -> None:
    assert phone.secret
    thief = site.browser("198.51.100.66")
    assert callable(way)
    way(site, thief)
    for path in ("/account", SETTINGS, "/account/password", "/reauthenticate", "/account/security"):
        assert thief.send(path).location.startswith("/login")


def test_no_secret_is_in_clear_in_the_database(site: Site, phone: Phone) -> None:
    stored = repr(site.rows())
    assert phone.secret not in stored
    assert all(code not in stored and code.replace("-", "") not in stored for code in phone.recovery_codes)


def test_the_cookie_holds_no_secret_in_clear(site: Site) -> None:
    browser = site.customer(EMAIL)
    secret = secret_on(browser.open(SETTINGS))
    interface = site.app.session_interface
    serializer = interface.get_signing_serializer(site.app)  # type: ignore[attr-defined]
    assert secret not in repr(serializer.loads(browser.cookie()))


def test_it_is_asked_in_a_frame_too(site: Site, phone: Phone) -> None:
    change_organisation_frames(site)
    framed = {"Sec-Fetch-Dest": "iframe"}
    browser = site.browser()
    form = browser.send("/login", headers=framed).form("/login")
    assert browser.post(form, {"email": EMAIL, "password": PASSWORD}, headers=framed).location == SIGN_IN
    page = browser.send(SIGN_IN, headers=framed)
    assert "frame-ancestors https://shop.example" in page.headers["Content-Security-Policy"]
    assert browser.post(page.form(SIGN_IN), {"code": phone.code()}, headers=framed).location == "/account"


def change_organisation_frames(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(frame_ancestors=["https://shop.example"]))
    site.app.extensions["portal_directory"]._snapshot = None
