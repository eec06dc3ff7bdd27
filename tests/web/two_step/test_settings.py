"""Two-step verification in the account, without JavaScript."""

import re
from urllib.parse import unquote

import pyotp
import pytest
from sqlalchemy import update

from portal.domain.recent_authentication import RECENT
from portal.storage.models import Identity
from tests.web.authenticator import SETTINGS, Phone, codes_on, pass_step, secret_on, set_up
from tests.web.conftest import PASSWORD, Site
from tests.web.two_step.ways_in import EMAIL, require, subjects


def let_ten_minutes_pass(site: Site) -> None:
    past = site.context.clock() - RECENT
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=past, second_step_at=past))


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
    assert "used before" not in wrong.words  # no code was yet
    shown = browser.post(wrong.form(SETTINGS), {"code": pyotp.TOTP(secret).now()})
    codes = codes_on(shown)
    assert len(codes) == 10
    assert "Two-step verification is on." in shown.words
    assert "Earlier codes" not in shown.words
    (download,) = shown.tree.one("main").all("a", download="recovery-codes.txt")
    assert all(code in unquote(download.get("href")) for code in codes)
    later = browser.open(SETTINGS)
    assert "10 codes left" in later.words
    assert all(code not in later.text for code in codes)
    assert browser.is_signed_in
    assert "Two-step verification was turned on for your Customer portal account" in subjects(site)
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


def test_recent_authentication_takes_the_second_step_too(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    off = browser.open(SETTINGS).form(f"{SETTINGS}/off")
    let_ten_minutes_pass(site)
    answer = browser.post(off)
    assert answer.location == f"/reauthenticate?next={SETTINGS}/off"
    assert browser.follow(answer).notices == []
    answer = browser.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate")
    assert answer.location == f"/reauthenticate/two-step?next={SETTINGS}/off"
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location.startswith("/reauthenticate")
    page = browser.open(f"/reauthenticate?next={SETTINGS}/off")
    assert "/account" in [way.get("href") for way in page.tree.one("main").all("a")]
    wrong = browser.post(page.form("/reauthenticate/two-step"), {"code": "12345"})
    assert (wrong.status, wrong.problems[0][0]) == (422, "code")
    before = browser.cookie()
    answer = browser.post(wrong.form("/reauthenticate/two-step"), {"code": phone.code()})
    assert answer.location == f"{SETTINGS}/off"
    assert browser.post(browser.open(SETTINGS).form(f"{SETTINGS}/off")).location == "/account/security"
    assert "Two-step verification was turned off for your Customer portal account" in subjects(site)
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
    assert "Earlier codes no longer work." in page.words
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


def test_after_reauthentication_a_button_has_to_be_pressed_again(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    form = browser.open(SETTINGS).form(f"{SETTINGS}/recovery-codes")
    let_ten_minutes_pass(site)
    asked = browser.follow(browser.post(form))
    step = browser.follow(browser.post(asked.form("/reauthenticate"), {"password": PASSWORD}))
    back = browser.post(step.form("/reauthenticate/two-step"), {"code": phone.recovery_codes[0]})
    shown = browser.follow(back)
    assert shown.notices == ["Thanks, that's confirmed. Now press the button again."]
    codes = browser.post(shown.form(f"{SETTINGS}/recovery-codes"))
    assert len(codes_on(codes)) == 10
    assert codes.tree.one("main").get("data-clean-path") == SETTINGS


def test_new_codes_cannot_be_made_after_it_was_turned_off(site: Site, phone: Phone) -> None:
    browser = site.browser()
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code())
    settings = browser.open(SETTINGS)
    browser.follow(browser.post(settings.form(f"{SETTINGS}/off")))
    answer = browser.post(settings.form(f"{SETTINGS}/recovery-codes"))
    assert answer.location == "/account/security"
    assert browser.follow(answer).notices == ["Two-step verification is off."]


def test_on_a_phone_a_link_opens_the_app(site: Site) -> None:
    page = site.customer(EMAIL).open(SETTINGS)
    (link,) = page.tree.one("p", class_="on-phone").all("a")
    assert link.get("href").startswith("otpauth://totp/")
    assert f"secret={secret_on(page)}" in link.get("href")
