"""The profile: every field is shown, saved, and kept in the form after an error."""

from typing import Any

import pytest
from sqlalchemy import update

from portal.storage.models import Contact
from tests.web.browser import Browser, Page
from tests.web.conftest import Site
from tests.web.html import Element

EMAIL = "ada@example.com"
PATH = "/account/profile"
TYPED = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "777 123 456",
    "company_name": "Engines <b>",
    "company_registration_number": "12345678",
    "tax_identification_number": "CZ12345678",
    "street_address": "Dlouhá 1",
    "city": "Praha",
    "city_part": "Staré Město",
    "state_region": "Praha",
    "postal_code": "110 00",
    "country": "CZ",
    "locale": "en",
    "newsletter": "y",
}


def save(browser: Browser, fields: dict[str, Any]) -> Page:
    return browser.fill(PATH, fields, submit_to=PATH)


def shown(page: Page) -> dict[str, str]:
    """Return the values in the form; of menus the selected ones."""
    main = page.tree.one("main")
    chosen = {
        menu.get("name"): next((o.get("value") for o in menu.all("option") if "selected" in o.attributes), "")
        for menu in main.all("select")
    }
    fields = page.form(PATH).fields
    return {**{name: value for name, value in fields.items() if name != "csrf_token"}, **chosen}


def fold(page: Page) -> Element:
    return page.tree.one("main").one("details")


def test_every_field_is_saved_with_a_word_and_shown(site: Site) -> None:
    browser = site.customer(EMAIL)
    answer = save(browser, TYPED)
    assert (answer.status, answer.location) == (302, PATH)
    page = browser.follow(answer)
    assert "Your profile is saved." in page.words
    assert shown(page) == {**TYPED, "phone": "+420 777123456"}
    assert browser.open("/account").tree.one("main").all("a", href=f"{PATH}#phone") == []


def test_a_wrong_field_is_named_and_nothing_typed_is_lost(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = save(browser, {**TYPED, "phone": "12"})
    assert page.status == 422
    assert page.tree.one("input", id="phone").get("aria-invalid") == "true"
    assert shown(page) == {**TYPED, "phone": "12"}
    assert "open" in fold(page).attributes
    assert shown(browser.open(PATH))["city"] == ""


@pytest.mark.parametrize("field", ["first_name", "last_name"])
def test_a_name_is_needed(site: Site, field: str) -> None:
    page = save(site.customer(EMAIL), {**TYPED, field: " "})
    assert page.status == 422
    assert page.tree.one("input", id=field).get("aria-invalid") == "true"


def test_a_stale_form_keeps_what_was_typed(site: Site) -> None:
    page = save(site.customer(EMAIL), {**TYPED, "csrf_token": "x"})
    assert page.status == 400
    assert shown(page) == TYPED


def test_company_fields_are_folded_until_there_is_one(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert "open" not in fold(browser.open(PATH)).attributes
    save(browser, {**TYPED, "company_registration_number": "", "tax_identification_number": ""})
    assert "open" in fold(browser.open(PATH)).attributes


def test_a_box_that_is_not_ticked_ends_the_newsletter(site: Site) -> None:
    browser = site.customer(EMAIL, newsletter="y")
    assert shown(browser.open(PATH))["newsletter"] == "y"
    save(browser, {"newsletter": None})
    assert "newsletter" not in shown(browser.open(PATH))


def test_countries_and_languages_are_named_in_the_readers_language(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = browser.follow(save(browser, {**TYPED, "locale": "cs"}))
    assert page.tree.one("html").get("lang") == "cs"
    assert "Profil je uložený." in page.words
    countries = [option.text for option in page.tree.one("select", id="country").all("option")]
    assert {"Česko", "Německo"} <= set(countries)
    assert countries.index("Česko") < countries.index("Dánsko")


def test_who_never_chose_a_language_is_offered_that_of_the_page(site: Site) -> None:
    browser = site.customer(EMAIL)
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(locale=None))
    assert shown(browser.send(PATH, headers={"Accept-Language": "cs"}))["locale"] == "cs"


@pytest.mark.parametrize(("kept", "chosen"), [("cs-CZ", "cs-CZ"), ("de", "de")])
def test_a_language_that_a_shop_named_stays_until_another_is_chosen(site: Site, kept: str, chosen: str) -> None:
    browser = site.customer(EMAIL)
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(locale=kept))
    assert shown(browser.open(PATH))["locale"] == chosen
    assert save(browser, {**TYPED, "locale": chosen}).status == 302
    assert site.rows()["contact"][0]["locale"] == kept
    assert save(browser, {**TYPED, "locale": "en"}).status == 302
    assert site.rows()["contact"][0]["locale"] == "en"


def test_a_field_that_is_not_sent_stays(site: Site) -> None:
    browser = site.customer(EMAIL)
    save(browser, TYPED)
    names = {"first_name": "Augusta", "last_name": "King"}
    save(browser, {**dict.fromkeys(TYPED), **names})
    assert shown(browser.open(PATH))["city"] == "Praha"


def test_it_is_for_customers_who_are_signed_in(site: Site) -> None:
    assert site.browser().send(PATH).location == f"/login?next={PATH}"


def test_the_profile_leads_to_the_change_of_the_email_address(site: Site) -> None:
    page = site.customer(EMAIL).open(PATH)
    assert EMAIL in page.words
    assert page.tree.one("main").one("a", href="/account/email").text == "Change email address"


def test_no_line_breaks_the_sample_phone_number_into_two(site: Site) -> None:
    page = save(site.customer(EMAIL), {"phone": "12"})
    assert "like +420\N{NO-BREAK SPACE}777\N{NO-BREAK SPACE}123\N{NO-BREAK SPACE}456." in page.text
