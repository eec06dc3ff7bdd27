"""Organisations share no customers, links, sessions or rate limits."""

from email.message import EmailMessage
from typing import Any

import pytest

from portal.domain.operations import ban
from portal.domain.values.email import parse_email
from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page
from tests.web.organisations.conftest import BASE_URL, EMAIL, OTHER_PASSWORD, STRANGE_NAME, Shop, shop_of
from tests.web.post import text_of


def _contacts(site: Site) -> list[tuple[int, str]]:
    return sorted((row["organisation_id"], row["email"]) for row in site.rows()["contact"])


def test_one_address_has_an_account_with_a_password_of_its_own_in_each(many: Site, kamen: Shop, sklo: Shop) -> None:
    kamen.customer(password=PASSWORD)
    sklo.customer(password=OTHER_PASSWORD)
    assert _contacts(many) == [(kamen.id, EMAIL), (sklo.id, EMAIL)]
    for shop, right, wrong in ((kamen, PASSWORD, OTHER_PASSWORD), (sklo, OTHER_PASSWORD, PASSWORD)):
        assert shop.browser().sign_in(EMAIL, wrong).status == 422
        browser = shop.browser()
        assert browser.sign_in(EMAIL, right).status == 302
        assert browser.is_signed_in


def test_a_customer_of_one_is_unknown_to_the_other(kamen: Shop, sklo: Shop, default: Shop) -> None:
    kamen.customer()
    for shop in (sklo, default):
        assert shop.browser().sign_in(EMAIL, PASSWORD).status == 422
        shop.browser().ask_for_reset(EMAIL)
        shop.browser().fill("/login/link", {"email": EMAIL})
        assert shop.mails() == []


def test_an_account_in_one_does_not_prevent_registering_in_the_other(kamen: Shop, sklo: Shop) -> None:
    kamen.customer()
    sklo.customer()
    assert [mail["Subject"] for mail in sklo.mails()] == [f"Confirm your email address for {STRANGE_NAME}"]


def _verify(shop: Shop) -> None:
    shop.browser().register(EMAIL, PASSWORD)


def _reset(shop: Shop) -> None:
    shop.customer().ask_for_reset(EMAIL)


def _sign_in(shop: Shop) -> None:
    shop.customer().sign_out()
    shop.browser().fill("/login/link", {"email": EMAIL})


@pytest.mark.parametrize("ask", [_verify, _reset, _sign_in], ids=lambda ask: ask.__name__)
def test_a_link_of_one_is_unknown_to_the_other_and_stays_valid(
    many: Site, kamen: Shop, sklo: Shop, default: Shop, ask: Any
) -> None:
    sklo.customer()  # the same address
    ask(kamen)
    link = kamen.link()
    typed = {"password": PASSWORD if ask is _verify else OTHER_PASSWORD}
    unknown = sklo.browser().send(link[:-10] + "A" * 10)
    before = many.rows()
    for shop in (sklo, default):
        browser = shop.browser()
        page = browser.send(link)
        assert_error_page(page, 404)
        assert page.words == unknown.words
        # With all fields of its form.
        token = browser.open("/login").form().token
        page = browser.send(link, "POST", data={"csrf_token": token, "remember": "y", **typed})
        assert_error_page(page, 404)
        assert not browser.is_signed_in
    assert many.rows() == before
    assert kamen.browser().fill(link, typed).status == 302


def _code_in(mail: EmailMessage) -> str:
    (code,) = (line for line in text_of(mail).splitlines() if line.isdigit())
    return code


@pytest.mark.parametrize(("path", "ask"), [("/register/code", _verify), ("/login/code", _sign_in)])
def test_a_code_of_one_is_refused_by_the_other_even_with_the_cookie(
    kamen: Shop, sklo: Shop, path: str, ask: Any
) -> None:
    browser = kamen.browser()
    if ask is _verify:
        browser.register(EMAIL, PASSWORD)
    else:
        kamen.customer()
        browser.fill("/login/link", {"email": EMAIL})
    code = _code_in(kamen.mails()[-1])
    elsewhere = sklo.browser()
    elsewhere.set_cookie(browser.cookie() or "")
    page = elsewhere.post(elsewhere.open(path).form(path), {"code": code})
    assert page.status == 422
    assert not elsewhere.is_signed_in
    assert sklo.mails() == []
    page = browser.post(browser.open(path).form(path), {"code": code})
    assert page.status == 302, "the code is spent by what happened elsewhere"


def test_a_registration_of_one_cannot_be_resent_by_the_other(kamen: Shop, sklo: Shop) -> None:
    browser, elsewhere = kamen.browser(), sklo.browser()
    browser.register(EMAIL, PASSWORD)
    mails = len(kamen.mails())
    elsewhere.set_cookie(browser.cookie() or "")
    page = elsewhere.open("/register/code")
    assert elsewhere.post(page.form("/register/resend")).location == "/register"
    assert (len(kamen.mails()), sklo.mails()) == (mails, [])


def test_an_identity_of_one_is_unknown_to_the_other_and_cannot_be_ended_there(
    kamen: Shop, sklo: Shop, default: Shop
) -> None:
    browser = kamen.customer()
    for shop in (sklo, default):
        shop.customer()  # the same address
        elsewhere = shop.browser()
        elsewhere.set_cookie(browser.cookie() or "")
        assert not elsewhere.is_signed_in
        assert EMAIL not in elsewhere.open("/login").text
        token = elsewhere.open("/login").form().token
        elsewhere.send("/logout", "POST", data={"csrf_token": token})
    assert browser.is_signed_in


def test_cookies_belong_to_one_host(kamen: Shop) -> None:
    cookie = kamen.browser().send("/login").headers["Set-Cookie"]
    assert "Domain" not in cookie
    assert "Path=/" in cookie


def test_a_password_change_in_one_ends_nothing_in_the_other(kamen: Shop, sklo: Shop) -> None:
    here, there = kamen.customer(), sklo.customer()
    there.ask_for_reset(EMAIL)
    link = sklo.link()
    changed = here.fill("/account/password", {"current_password": PASSWORD, "password": OTHER_PASSWORD})
    assert changed.status == 302
    kamen.browser().ask_for_reset(EMAIL)
    kamen.browser().fill(kamen.link(), {"password": "four blue kites climb"})
    assert there.is_signed_in
    assert sklo.browser().sign_in(EMAIL, PASSWORD).status == 302
    assert sklo.browser().open(link).status == 200
    # The password of one organisation is not that of the other.
    assert sklo.browser().fill(link, {"password": OTHER_PASSWORD}).status == 302


def test_a_ban_in_one_does_not_apply_in_the_other(many: Site, kamen: Shop, sklo: Shop) -> None:
    here, there = kamen.customer(), sklo.customer()
    ban.ban(many.context, kamen.id, parse_email(EMAIL), "spam")
    assert not here.is_signed_in
    assert there.is_signed_in
    assert sklo.browser().sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/login", {"email": EMAIL, "password": "not the right one"}),
        ("/login/link", {"email": EMAIL}),
        ("/password/reset", {"email": EMAIL}),
        ("/register", {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}),
    ],
)
def test_rate_limits_of_one_do_not_apply_in_the_other(
    start: Start, many: Site, path: str, fields: dict[str, str]
) -> None:
    limits = {
        "LOGIN_LIMIT_ACCOUNT": "2 per hour",
        "MAIL_LIMIT_ADDRESS": "2 per hour",
        "LOGIN_LIMIT_NETWORK": "9 per hour",
    }
    site = start(BASE_URL=BASE_URL, REGISTER_LIMIT_NETWORK="2 per hour", MAIL_LIMIT_NETWORK="2 per hour", **limits)
    kamen, sklo = shop_of(site, "kamen"), shop_of(site, "sklo")

    def send(shop: Shop) -> Page:
        return shop.browser().fill(path, fields)

    for _ in range(2):
        assert send(kamen).status != 429
    assert send(kamen).status == 429
    assert send(sklo).status != 429


def test_wrong_links_in_one_are_not_counted_in_the_other(start: Start, many: Site) -> None:
    site = start(BASE_URL=BASE_URL, LOGIN_LIMIT_NETWORK="2 per hour")
    kamen, sklo = shop_of(site, "kamen"), shop_of(site, "sklo")
    guess = "/password/reset/" + "A" * 60
    assert [kamen.browser().open(guess).status for _ in range(3)] == [404, 404, 429]
    assert sklo.browser().open(guess).status == 404


def test_each_event_and_each_email_belongs_to_its_organisation(many: Site, kamen: Shop, sklo: Shop) -> None:
    before = {table: len(many.rows()[table]) for table in ("event", "outbox")}
    kamen.customer().ask_for_reset(EMAIL)
    kamen.browser().sign_in(EMAIL, "not the right one")
    rows = many.rows()
    contacts = {row["id"]: row["organisation_id"] for row in rows["contact"]}
    assert set(contacts.values()) == {kamen.id}
    for table in before:
        assert len(rows[table]) > before[table]
        ours = [row for row in rows[table] if row.get("kind") not in ("organisation_add", "organisation_change")]
        assert {row["organisation_id"] for row in ours} == {kamen.id}
        assert {contacts[row["contact_id"]] for row in ours if row["contact_id"]} == {kamen.id}


@pytest.mark.parametrize(
    "origin", ["http://login.sklo.example:5000", BASE_URL, "http://login.kamen.example:81", "null"]
)
def test_a_form_sent_from_the_pages_of_another_is_refused(kamen: Shop, origin: str) -> None:
    browser = kamen.browser()
    form = browser.open("/password/reset").form()
    assert browser.post(form, {"email": EMAIL}, headers={"Origin": origin}).status == 400
    assert browser.post(form, {"email": EMAIL}, headers={"Origin": kamen.url}).status == 302


def test_a_form_of_one_cannot_be_sent_to_the_other(kamen: Shop, sklo: Shop) -> None:
    form = kamen.browser().open("/password/reset").form()
    elsewhere = sklo.browser()
    elsewhere.open("/password/reset")
    assert elsewhere.post(form, {"email": EMAIL}).status == 400
