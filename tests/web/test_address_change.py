"""A customer changes the email address on the pages."""

import pytest

from portal.web.embedding import NEVER_FRAMED
from tests.api.shop import new_shop
from tests.web.address_change import (
    BOB,
    CODE,
    EMAIL,
    NEW,
    OTHER_PASSWORD,
    PATH,
    REAUTHENTICATE,
    address_on,
    ask,
    change,
    notices,
)
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page, assert_page
from tests.web.post import code_in, link_in
from tests.web.test_account_security import forget_proofs


def test_the_security_page_leads_to_it(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert address_on(browser) == EMAIL
    links = browser.open("/account/security").tree.one("main").all("a", href=PATH)
    assert [link.text for link in links] == ["Change email address"]
    page = browser.open(PATH)
    assert_page(page, 200)
    assert EMAIL in page.words


def test_the_security_page_shows_an_address_that_is_not_confirmed_yet(site: Site) -> None:
    browser = site.customer(EMAIL)
    ask(browser)
    assert f"{EMAIL} Not confirmed yet: {NEW}" in browser.open("/account/security").words


def test_it_is_confirmed_by_the_code_in_the_browser_that_asked(site: Site) -> None:
    browser = site.customer(EMAIL)
    answer = ask(browser)
    assert answer.location == CODE
    page = browser.follow(answer)
    assert_page(page, 200)
    assert NEW in page.words
    assert address_on(browser) == EMAIL
    code = code_in(site.mails(NEW)[-1])
    wrong = browser.post(page.form(CODE), {"code": "000000" if code != "000000" else "111111"})
    assert (wrong.status, wrong.problems[0][0]) == (422, "code")
    answer = browser.post(wrong.form(CODE), {"code": f"{code[:3]} {code[3:]}"})
    assert answer.location == "/account"
    assert notices(browser.follow(answer)) == ["Your email address is changed. Use it from now on when you sign in."]
    assert address_on(browser) == NEW
    assert site.browser().sign_in(NEW, PASSWORD).location == "/account"
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 422


def test_it_is_confirmed_by_the_link_in_any_browser(site: Site) -> None:
    browser, phone = site.customer(EMAIL), site.browser()
    code_page = browser.follow(ask(browser))
    link = site.link(NEW)
    for _ in range(2):
        assert phone.open(link).status == 200
    page = phone.open(link)
    assert_page(page, 200)
    assert NEW in page.words
    assert EMAIL not in page.text  # with a typo, the email may have reached another person
    assert address_on(browser) == EMAIL
    answer = phone.post(page.form())
    assert answer.location == "/login"
    shown = phone.follow(answer)
    assert notices(shown) == ["Your email address is changed. Use it from now on when you sign in."]
    assert shown.form("/login").fields["email"] == NEW
    assert address_on(browser) == NEW
    late = browser.post(code_page.form(CODE), {"code": "123456"})
    assert late.location == "/account"
    assert notices(browser.follow(late)) == ["Your email address is changed. Use it from now on when you sign in."]
    assert phone.open(link).status == 200  # the page leads to the sign-in
    other = site.browser().open(link)
    assert_error_page(other, 410)
    assert "The new email address is already confirmed, by this link or by the code in its email." in other.words


def test_the_page_of_a_link_can_be_reloaded_without_its_token(site: Site) -> None:
    browser = site.customer(EMAIL)
    ask(browser)
    opened = browser.open(site.link(NEW))
    assert opened.tree.one("main").get("data-clean-path") == f"{PATH}/confirm"
    assert NEW in browser.open(f"{PATH}/confirm").words
    undo = link_of_undo(site, browser)
    assert browser.open(undo).tree.one("main").get("data-clean-path") == f"{PATH}/undo"
    assert EMAIL in browser.open(f"{PATH}/undo").words


def link_of_undo(site: Site, browser: Browser) -> str:
    browser.fill(site.link(NEW))
    return site.link(EMAIL)


def test_after_ten_minutes_a_customer_must_reauthenticate_and_the_address_is_kept(site: Site) -> None:
    browser = site.customer(EMAIL)
    forget_proofs(site)
    answer = ask(browser)
    assert answer.location == f"{REAUTHENTICATE}?next={PATH}"
    assert site.mails(NEW) == []
    asked = browser.follow(answer)
    wrong = browser.post(asked.form(REAUTHENTICATE), {"password": "six wrong geese honk"})
    assert wrong.status == 422
    answer = browser.post(wrong.form(REAUTHENTICATE), {"password": PASSWORD})
    assert answer.location == PATH
    form = browser.follow(answer).form(PATH)
    assert form.fields["email"] == NEW
    assert browser.post(form).location == CODE
    assert len(site.mails(NEW)) == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Enter your email address."),
        ("ada at example", "Enter an email address in the correct format, like name@example.com."),
        (f" {EMAIL.upper()} ", "This is already your email address."),
    ],
)
def test_what_is_no_new_address_is_refused_at_its_field(site: Site, typed: str, words: str) -> None:
    page = ask(site.customer(EMAIL), typed)
    assert (page.status, page.problems) == (422, [("email", words)])
    assert page.form(PATH).fields["email"].strip() == typed.strip()


def test_a_taken_address_looks_like_any_other(start: Start) -> None:
    site = start(MAIL_LIMIT_ADDRESS="100 per hour")
    site.customer(NEW)
    browser = site.customer(EMAIL)
    pages = [browser.follow(ask(browser, email)) for email in (NEW, BOB)]
    assert pages[0].words.replace(NEW, "…") == pages[1].words.replace(BOB, "…")
    taken = site.mails(NEW)[-1]
    assert taken["Subject"].startswith("This address already has an account")
    with pytest.raises(ValueError, match="unpack"):
        link_in(taken)
    asked = browser.follow(ask(browser, NEW))
    refused = [browser.post(asked.form(CODE), {"code": "123456"}) for _ in range(6)]
    assert [page.status for page in refused] == [422] * 6
    assert address_on(browser) == EMAIL


def test_too_many_emails_to_one_address_are_refused_for_known_and_unknown_ones(site: Site) -> None:
    browser = site.customer(EMAIL)
    for _ in range(5):
        assert ask(browser).status == 302
    page = ask(browser)
    assert page.status == 429
    assert int(page.headers["Retry-After"]) > 0
    assert page.form(PATH).fields["email"] == NEW


def test_an_address_that_was_taken_meanwhile_is_said_to_be(site: Site) -> None:
    browser = site.customer(EMAIL)
    ask(browser)
    link = site.link(NEW)
    code = code_in(site.mails(NEW)[-1])
    site.guest(NEW)
    words = "This email address now belongs to another account. Nothing was changed."
    for page in (browser.fill(link), browser.fill(CODE, {"code": code}, submit_to=CODE)):
        assert (page.status, page.problems) == (422, [("", words)])
    assert address_on(browser) == EMAIL


def test_the_overview_tells_of_a_change_that_waits_until_it_is_cancelled(site: Site) -> None:
    browser, other = site.customer(EMAIL), site.browser()
    other.sign_in(EMAIL, PASSWORD)
    ask(browser)
    link = site.link(NEW)
    for each in (browser, other):
        page = each.open("/account")
        assert NEW in page.words
        assert [a.text for a in page.tree.all("a", href=CODE)] == ["Enter the code, or cancel the change"]
    assert "The code only works in the browser that asked for it" in other.open(CODE).words
    answer = other.fill(PATH, submit_to=f"{PATH}/cancel")
    assert notices(other.follow(answer)) == ["The change is cancelled. Your email address stays the same."]
    (reason,) = other.follow(other.send(CODE)).notices
    assert reason == "There's no new email address to confirm here."
    assert NEW not in browser.open("/account").words
    assert site.browser().send(link).status == 410
    assert browser.send(CODE).location == PATH


def test_a_stale_form_changes_nothing(site: Site) -> None:
    browser = site.customer(EMAIL)
    stale = browser.fill(PATH, {"email": NEW, "csrf_token": "x"}, submit_to=PATH)
    assert stale.status == 400
    assert stale.form(PATH).fields["email"] == NEW
    browser.post(stale.form(PATH))
    page = browser.fill(PATH, {"csrf_token": "x"}, submit_to=f"{PATH}/cancel")
    assert page.status == 400
    link = site.link(NEW)
    assert browser.fill(link, {"csrf_token": "x"}).status == 400
    undo = link_of_undo(site, browser)
    assert browser.fill(undo, {"csrf_token": "x"}).status == 400
    assert address_on(browser) == NEW


@pytest.mark.parametrize("path", [PATH, CODE])
def test_it_is_for_customers_who_are_signed_in(site: Site, path: str) -> None:
    assert site.browser().send(path).location == f"/login?next={path}"


def test_addresses_that_only_take_forms_lead_to_the_page(site: Site) -> None:
    browser = site.customer(EMAIL)
    for path in (f"{PATH}/cancel", CODE, f"{PATH}/confirm"):
        assert browser.send(path).location == PATH
    assert browser.send(f"{PATH}/undo").location == "/account"


def test_no_page_of_it_is_shown_in_a_frame(site: Site) -> None:
    endpoints = {rule.endpoint for rule in site.app.url_map.iter_rules() if rule.rule.startswith(PATH)}
    assert len(endpoints) == 7
    assert endpoints <= NEVER_FRAMED


def test_a_used_undo_link_says_what_it_did(site: Site) -> None:
    undo = change(site, site.customer(EMAIL))
    site.browser().fill(undo)
    used = site.browser().open(undo)
    assert_error_page(used, 410)
    assert "The change of email address was undone with it." in used.words


def test_the_shops_server_gets_the_new_address_at_once(site: Site) -> None:
    browser, shop = site.customer(EMAIL), new_shop(site)
    identity = shop.identity(shop.post("login", email=EMAIL, password=PASSWORD))
    assert shop.account(identity)["email"] == EMAIL
    undo = change(site, browser)
    assert shop.account(identity)["email"] == NEW
    assert site.browser().fill(undo).status == 302
    assert shop.account(identity) == {"loggedIn": False}


def test_a_change_is_listed_in_the_activity(site: Site) -> None:
    browser = site.customer(EMAIL)
    undo = change(site, browser)
    reset = browser.follow(browser.fill(undo))
    browser.post(reset.form(), {"password": OTHER_PASSWORD})
    told = [heading.text for heading in browser.open("/account/activity").tree.one("main").all("h2")]
    assert told[2:5] == [
        "Change of email address undone",
        "Email address changed",
        "Change of email address requested",
    ]


def test_an_account_that_was_deleted_meanwhile_is_gone(site: Site) -> None:
    browser = site.customer(EMAIL)
    ask(browser)
    link = site.link(NEW)
    opened = browser.open(link)
    with site.context.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM contact")
    assert browser.post(opened.form()).status == 404
    assert site.rows()["address_change"] == []
    assert ask(site.customer(EMAIL)).status == 302
