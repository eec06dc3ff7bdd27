"""The language switch: where it returns to, and what it refuses."""

import pytest

from tests.web.conftest import PASSWORD, Site
from tests.web.language.switch import ADA, CZECH, choose, spoken, switch_of


def test_the_switch_names_each_language_in_itself_and_marks_the_current_one(site: Site) -> None:
    form = site.browser().send("/login", headers=CZECH).tree.one("footer").one("form", action="/language")
    assert form.get("aria-label") == "Jazyk"
    (current,) = form.all("span")
    assert (current.text, current.get("lang"), current.get("aria-current")) == ("Čeština", "cs", "true")
    other = form.one("button", value="en")
    assert (other.text, other.get("lang"), other.get("name"), other.get("value")) == ("English", "en", "locale", "en")
    assert form.one("input", name="csrf_token").get("value")


@pytest.mark.parametrize("path", ["/login?next=%2Faccount%3Fa%3Db%26c", "/register?ref=" + "A" * 16, "/nothing/%C5%A1"])
def test_the_switch_returns_to_the_same_page_with_its_query(site: Site, path: str) -> None:
    browser = site.browser()
    assert choose(browser, "cs", on=path).location == path
    assert spoken(browser.send(path)) == "cs"


def test_the_switch_returns_to_the_page_of_an_emailed_link_which_stays_valid(site: Site) -> None:
    browser = site.browser()
    browser.register(ADA, PASSWORD)
    link = site.link(ADA)
    answer = choose(browser, "cs", on=link)
    assert answer.location == link
    page = browser.follow(answer)
    assert spoken(page) == "cs"
    assert browser.post(page.form()).status == 302


def test_after_a_form_with_errors_the_switch_returns_to_the_form(site: Site) -> None:
    browser = site.browser()
    page = browser.fill("/login?next=/account/password", {"email": "", "password": ""})
    assert page.status == 422
    answer = browser.post(switch_of(page), {"locale": "cs"})
    assert browser.follow(answer).form().fields["next"] == "/account/password"
    browser.register(ADA, PASSWORD)
    too_often = page
    while too_often.status != 429:
        too_often = browser.fill("/register/code", submit_to="/register/resend")
    assert switch_of(too_often).fields["next"] == "/register/code"


def test_the_switch_returns_to_the_sign_out_page(site: Site) -> None:
    logout = site.customer(ADA).fill("/account", {"csrf_token": "x"}, submit_to="/logout")
    assert switch_of(logout).fields["next"] == "/logout"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1", "", None]
)
def test_the_switch_never_redirects_to_another_site(site: Site, target: str | None) -> None:
    browser = site.browser()
    form = switch_of(browser.open("/login"))
    assert browser.post(form, {"locale": "cs", "next": target}).location == "/"
    assert spoken(browser.open("/login")) == "cs"


@pytest.mark.parametrize("tag", ["de", "xx", "", "CS", "cs-CZ", "../../cs", "\0", "a" * 3000, None])
def test_an_unsupported_language_changes_nothing_and_the_others_are_offered(site: Site, tag: str | None) -> None:
    browser = site.browser()
    answer = browser.post(switch_of(browser.open("/register")), {"locale": tag})
    assert answer.status == 422
    assert answer.problems == [("", "We don't speak this language yet. Please choose one of these.")]
    assert "language" not in "".join(answer.headers.getlist("Set-Cookie"))
    for form in answer.forms:
        assert form.fields["next"] == "/register"
    answer = browser.post(answer.form(), {"locale": "cs"})
    assert answer.location == "/register"
    assert spoken(browser.open("/register")) == "cs"


def test_a_switch_with_an_expired_token_changes_nothing_and_is_offered_again(site: Site) -> None:
    browser = site.browser()
    stale = browser.post(switch_of(browser.open("/register")), {"locale": "cs", "csrf_token": "x"})
    assert stale.status == 400
    assert spoken(browser.open("/register")) == "en"
    assert browser.post(stale.form(), {"locale": "cs"}).location == "/register"
    assert spoken(browser.open("/register")) == "cs"


def test_a_field_sent_twice_is_refused(site: Site) -> None:
    browser = site.browser()
    form = switch_of(browser.open("/login"))
    answer = browser.send(
        "/language", "POST", data={"csrf_token": form.token, "next": "/login", "locale": ["cs", "en"]}
    )
    assert answer.status == 422
    assert spoken(browser.open("/login")) == "en"


def test_a_get_of_the_switch_returns_to_its_page(site: Site) -> None:
    assert site.browser().send("/language?next=/register").location == "/register"
    assert site.browser().send("/language?next=//evil.example").location == "/"
