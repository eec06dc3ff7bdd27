"""The fields that an organisation asks for, at registration and in the profile."""

from collections.abc import Mapping

from sqlalchemy import update

from portal.storage.models import Contact, Organisation
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site

EMAIL, PROFILE = "ada@example.com", "/account/profile"
NAMES = {"first_name": "Ada", "last_name": "Quill"}


def choose(site: Site, rules: Mapping[str, str]) -> None:
    """Set a field's rule as `portal organisation set --field` does."""
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(field_rules=dict(rules)))
    site.app.extensions["portal_directory"]._snapshot = None  # otherwise the cache is renewed after three seconds


def names(page: Page) -> set[str]:
    main = page.tree.one("main")
    fields = [field.get("name") for kind in ("input", "select") for field in main.all(kind)]
    return {name for name in fields if name and name != "csrf_token"}


def register(browser: Browser, **typed: str) -> Page:
    return browser.fill("/register", {"email": EMAIL, "password": PASSWORD, **NAMES, **typed})


def test_a_required_field_is_asked_for_at_registration_and_taken_over(site: Site) -> None:
    choose(site, {"phone": "required", "city": "required", "company_name": "hidden", "newsletter": "hidden"})
    browser = site.browser()
    assert names(browser.open("/register")) == {"email", "password", "first_name", "last_name", "phone", "city"}
    refused = register(browser)
    assert (refused.status, {field for field, _ in refused.problems}) == (422, {"phone", "city"})
    assert dict(refused.problems)["city"] == "City: please fill this in."
    assert register(browser, phone="+420777123456", city="Praha").status == 302
    browser.fill(site.link(EMAIL))
    page = browser.open(PROFILE)
    assert page.tree.one("input", id="city").get("value") == "Praha"
    assert "required" in page.tree.one("input", id="phone").attributes
    assert not {"company_name", "newsletter"} & names(page)


def test_a_field_that_is_not_asked_for_is_not_taken_over(site: Site) -> None:
    choose(site, {"company_name": "hidden"})
    browser = site.browser()
    assert register(browser, company_name="Engines", city="Praha").status == 302
    browser.fill(site.link(EMAIL))
    (contact,) = site.rows()["contact"]
    assert (contact["company_name"], contact["city"]) == (None, None)


def test_registration_has_the_styles_of_menus_only_where_it_asks_for_the_country(site: Site) -> None:
    def styles() -> str:
        return " ".join(link.get("href") or "" for link in site.browser().open("/register").tree.all("link"))

    assert "account.css" not in styles()
    choose(site, {"country": "required"})
    assert "account.css" in styles()


def test_names_need_not_be_asked_for(site: Site) -> None:
    choose(site, {"first_name": "optional", "last_name": "hidden"})
    answer = site.browser().fill("/register", {"email": EMAIL, "password": PASSWORD})
    assert answer.status == 302


def test_what_may_only_be_read_is_shown_and_not_changed(site: Site) -> None:
    browser = site.customer(EMAIL)
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(country="CZ", city="Praha"))
    choose(site, {"country": "read-only", "newsletter": "read-only", "city": "hidden"})
    page = browser.open(PROFILE)
    shown = {row.one("dt").text: row.one("dd").text for row in page.tree.one("dl").all("div")}
    assert shown == {"Country": "Czechia", "Email me news now and then": "No"}
    assert "Praha" not in page.words
    typed = {**NAMES, "country": "DE", "newsletter": "y", "city": "Berlin"}
    assert browser.fill(PROFILE, typed, submit_to=PROFILE).status == 302
    (contact,) = site.rows()["contact"]
    assert (contact["country"], contact["newsletter"], contact["city"]) == ("CZ", False, "Praha")


def test_what_is_missing_is_named_on_the_overview(site: Site) -> None:
    browser = site.customer(EMAIL)
    choose(site, {"phone": "hidden", "city": "required"})
    links = [a for a in browser.open("/account").tree.one("main").all("a") if "#" in a.get("href")]
    assert [(a.text, a.get("href")) for a in links] == [("Add: City", f"{PROFILE}#city")]
