"""Typed values are kept: the address between forms, a whole form after a change of language."""

import pytest

from tests.web.browser import Browser, Form, Page
from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"
REGISTRATION = {
    "email": EMAIL,
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Černá",
    "phone": "+420 777 123 456",
    "newsletter": "y",
}


def shown(page: Page, path: str) -> dict[str, str]:
    """Return the values of a form's visible fields."""
    fields = page.form(path).fields
    return {name: value for name, value in fields.items() if name not in ("csrf_token", "next", "ref") and value}


def press_language(browser: Browser, page: Page, path: str, typed: dict[str, str], tag: str = "cs") -> Page:
    """Press a button of the language switch, which sends the form of the page along."""
    (button,) = page.tree.all("button", name="locale", value=tag)
    (form,) = page.tree.all("form", id=button.get("form"))
    assert form.get("action") == path
    return browser.post(Form(button.get("formaction"), page.form(path).fields), {**typed, "locale": tag})


FORMS = {
    "/login": "/login",
    "/login/link": "/login/link",
    "/password/reset": "/password/reset",
    "/register": "/register",
}


@pytest.mark.parametrize("path", FORMS)
def test_a_typed_email_address_is_carried_to_every_other_form(site: Site, path: str) -> None:
    browser = site.browser()
    typed = {"email": EMAIL, "password": "wrong", "first_name": "Ada"}
    assert browser.fill(path, typed).status in (302, 422)

    for other in FORMS:
        assert shown(browser.open(other), other)["email"] == EMAIL


def test_an_invalid_email_address_is_carried_too(site: Site) -> None:
    browser = site.browser()
    assert browser.fill("/login", {"email": "ada@example"}).status == 422
    assert shown(browser.open("/password/reset"), "/password/reset") == {"email": "ada@example"}


def test_the_carried_address_is_dropped_at_sign_in_and_never_shared(site: Site) -> None:
    browser = site.customer(EMAIL)
    browser.sign_out()
    assert shown(browser.open("/login"), "/login") == {}
    browser.fill("/login", {"email": EMAIL})
    assert shown(site.browser().open("/login"), "/login") == {}


def test_use_another_address_keeps_all_but_the_password(site: Site) -> None:
    browser = site.browser()
    sent = browser.follow(browser.fill("/register", REGISTRATION))
    assert [a for a in sent.tree.one("main").all("a") if a.get("href") == "/register"]
    assert browser.post(sent.form("/register/code"), {"code": "no code"}).status == 422

    for _ in range(2):
        assert shown(browser.open("/register"), "/register") == {
            name: value for name, value in REGISTRATION.items() if name != "password"
        }
    corrected = {"email": "eve@example.com", "password": PASSWORD}
    assert browser.fill("/register", corrected).location == "/register/code"
    assert "eve@example.com" in browser.open("/register/code").words


def test_each_page_about_an_email_keeps_the_address_that_it_was_sent_to(site: Site) -> None:
    browser = site.browser()
    sent_to = {
        "/register/code": ("/register", {**REGISTRATION, "email": "ann@example.com"}),
        "/login/code": ("/login/link", {"email": "bob@example.com"}),
        "/password/reset-sent": ("/password/reset", {"email": "cat@example.com"}),
    }
    for page, (path, typed) in sent_to.items():
        assert browser.fill(path, typed).location == page
    for page, (_, typed) in sent_to.items():
        assert browser.open(page).tree.one("p", class_="address").text == typed["email"]


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/register", REGISTRATION),
        ("/login", {"email": EMAIL, "password": PASSWORD, "remember": "y"}),
        ("/login/link", {"email": "half@exam"}),
        ("/login/code", {"code": "123"}),
    ],
)
def test_a_change_of_language_keeps_what_was_typed(site: Site, path: str, typed: dict[str, str]) -> None:
    browser = site.browser()
    answer = press_language(browser, browser.open(path), path, typed)
    assert answer.location == path
    page = browser.follow(answer)

    assert page.tree.one("html").get("lang") == "cs"
    assert page.problems == []
    assert shown(page, path) == {name: value for name, value in typed.items() if name != "password"}
    again = press_language(browser, page, path, {**typed, "email": "other@example.com"}, "en")
    if "email" in typed:
        assert shown(browser.follow(again), path)["email"] == "other@example.com"


def test_a_change_of_language_keeps_where_the_customer_wanted_to_go(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    address = "/login?next=/account/password"
    answer = press_language(browser, browser.open(address), "/login", {"email": EMAIL, "password": PASSWORD})
    assert answer.location == address
    assert browser.post(browser.follow(answer).form(), {"password": PASSWORD}).location == "/account/password"


@pytest.mark.parametrize("here", ["//evil.example", "https://evil.example/", "/\\evil.example", ""])
def test_the_switch_never_redirects_to_another_site(site: Site, here: str) -> None:
    browser = site.browser()
    token = browser.open("/login").form().token
    data = {"csrf_token": token, "locale": "cs", "email": EMAIL}
    assert browser.send("/language", "POST", query_string={"here": here}, data=data).location == "/"


def test_passwords_and_long_forms_are_not_carried(site: Site) -> None:
    browser = site.customer(EMAIL)
    typed = {"current_password": PASSWORD, "password": PASSWORD}
    page = browser.follow(press_language(browser, browser.open("/account/password"), "/account/password", typed))
    assert PASSWORD not in page.text
    stranger = site.browser()
    long = {**REGISTRATION, "company_name": "𠀀" * 255}
    press_language(stranger, stranger.open("/register"), "/register", long)
    assert len(stranger.cookie() or "") < 1000
    assert shown(stranger.open("/register"), "/register") == {"email": EMAIL}


@pytest.mark.parametrize(
    ("path", "field"), [("/login", "email"), ("/login/link", "email"), ("/password/reset", "email")]
)
def test_a_page_with_one_field_focuses_it(site: Site, path: str, field: str) -> None:
    (focused,) = [each for each in site.browser().open(path).tree.all("input") if "autofocus" in each.attributes]
    assert focused.get("name") == field


def test_the_pages_of_links_focus_their_password(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    pages = [site.browser().open(site.link(EMAIL))]
    site.browser().ask_for_reset(EMAIL)
    pages.append(site.browser().open(site.link(EMAIL)))
    for page in pages:
        (focused,) = [each for each in page.tree.all("input") if "autofocus" in each.attributes]
        assert focused.get("name") == "password"


class TestPasswordPage:
    def guest(self, site: Site) -> Browser:
        site.guest(EMAIL)
        browser = site.browser()
        browser.fill("/login/link", {"email": EMAIL})
        browser.fill(site.link(EMAIL))
        return browser

    def test_a_customer_without_a_password_sets_one_and_is_asked_for_no_current_one(self, site: Site) -> None:
        browser = self.guest(site)
        page = browser.open("/account/password")
        assert (page.status, page.tree.one("h1").text) == (200, "Set a password")
        assert [field.get("name") for field in page.tree.one("main").all("input", type="password")] == ["password"]

        browser.fill("/account/password", {"password": PASSWORD}, submit_to="/account/password")
        assert browser.open("/account/password").tree.one("h1").text == "Change password"
        assert site.browser().sign_in(EMAIL, PASSWORD).status == 302

    def test_a_signed_in_customer_can_have_a_reset_link_emailed(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        page = browser.open("/account/password")
        (button,) = page.tree.all("button", formaction="/password/reset")
        sent = {**page.form("/account/password").fields, button.get("name"): button.get("value")}
        assert browser.send("/password/reset", "POST", data=sent).location == "/password/reset-sent"
        assert browser.fill(site.link(EMAIL), {"password": "nine grey otters swim"}).location == "/account"
