"""Browsers in which a customer signs in without the second step for 30 days."""

from datetime import timedelta

from sqlalchemy import select

from portal.storage.models import Device
from tests.web.authenticator import SETTINGS, SIGN_IN, Phone, pass_step
from tests.web.conftest import PASSWORD, Site
from tests.web.two_step.ways_in import EMAIL, NEW_PASSWORD


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
    assert "1 browser doesn't ask for a code, for at most 30 days or until you change your password." in page.words
    now = site.context.clock()
    with site.context.database.read() as connection:
        until = connection.execute(
            select(Device.c.trusted_until).where(Device.c.trusted_until.is_not(None))
        ).scalar_one()
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
