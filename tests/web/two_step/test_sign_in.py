"""The second step of a sign-in, without JavaScript."""

from datetime import timedelta
from functools import partial

import pyotp
import pytest
from sqlalchemy import select, update

from portal.storage.models import Identity, Organisation, PendingSignIn
from tests.web.authenticator import SIGN_IN, Phone, codes_on, pass_step, secret_on, set_up
from tests.web.conftest import PASSWORD, Site, in_parallel
from tests.web.two_step.ways_in import EMAIL, WAYS, Way, by_code, by_reset, require, subjects


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_leads_through_the_second_step(site: Site, phone: Phone, way: Way) -> None:
    browser = site.browser()
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
        newest = select(Identity.c.remember).order_by(Identity.c.id.desc()).limit(1)
        assert connection.execute(newest).scalar_one() is True


def test_a_recovery_code_signs_in_once_and_sends_an_email(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    page = browser.open(f"{SIGN_IN}?recovery=y")
    assert page.form(SIGN_IN).fields["recovery"] == "y"
    code = phone.recovery_codes[3]
    signed_in = browser.post(page.form(SIGN_IN), {"code": code.upper()})
    assert signed_in.location == "/account"
    (notice,) = browser.follow(signed_in).tree.all("p", class_="notice done")
    assert notice.text == "You signed in with a recovery code. Codes left: 9. Manage two-step verification"
    assert notice.one("a").get("href") == "/account/two-step"
    assert "A recovery code for Customer portal was used" in subjects(site)
    other = site.browser()
    other.sign_in(EMAIL, PASSWORD)
    assert pass_step(other, code).status == 422


def test_whom_to_ask_without_phone_and_codes(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    asks = "No recovery code either, or didn't you set this up? Contact us the way you usually do: we can turn"
    assert asks in browser.open(SIGN_IN).words
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(support_email="help@example.com"))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds later
    page = browser.open(SIGN_IN)
    assert "Email help@example.com" in page.words
    assert page.tree.one("main").one("a", href="mailto:help@example.com").text == "help@example.com"


def test_the_text_for_a_wrong_code_is_about_the_kind_of_code(site: Site, phone: Phone) -> None:
    browser, other = site.browser(), site.browser()
    used = phone.recovery_codes[0]
    other.sign_in(EMAIL, PASSWORD)
    pass_step(other, used)
    browser.sign_in(EMAIL, PASSWORD)
    for code, words in (
        ("12345", "Enter the next one that your app shows."),
        ("1234567", "Enter the next one that your app shows."),
        (used, "Check it, or enter another one that you saved."),
        (used[:-1], "Check it, or enter another one that you saved."),
        ("a word", "Check it, or enter another one that you saved."),
    ):
        assert words in dict(pass_step(browser, code).problems)["code"]


def test_a_reset_to_the_current_password_says_so_before_the_second_step(site: Site, phone: Phone) -> None:
    assert phone.secret
    browser = site.browser()
    browser.fill("/password/reset", {"email": EMAIL})
    answer = browser.fill(site.link(EMAIL), {"password": PASSWORD})
    assert answer.location == SIGN_IN
    assert browser.follow(answer).notices == ["This password is set already. All your devices have been signed out."]


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
        assert connection.execute(select(PendingSignIn.c.id)).all() == []


def test_a_change_of_password_ends_pending_sign_ins(site: Site, phone: Phone) -> None:
    thief = site.browser()
    thief.sign_in(EMAIL, PASSWORD)
    by_reset(site, site.browser())
    assert thief.open(SIGN_IN).status == 200
    assert thief.send("/account").location.startswith("/login")
    with site.context.database.read() as connection:
        assert len(connection.execute(select(PendingSignIn.c.id)).all()) == 1


def test_guesses_are_throttled_and_recovery_codes_are_not(site: Site, phone: Phone) -> None:
    browser = site.browser("198.51.100.7")
    browser.sign_in(EMAIL, PASSWORD)
    for _ in range(10):
        assert pass_step(browser, "12345").status == 422
    throttled = pass_step(browser, phone.code())
    assert throttled.status == 429
    assert int(throttled.headers["Retry-After"]) > 0
    assert pass_step(browser, phone.recovery_codes[0]).location == "/account"


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
    assert "requires a code from an app" in browser.open(SIGN_IN).words


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
