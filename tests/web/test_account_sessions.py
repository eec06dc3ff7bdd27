"""The list of sessions, and ending sessions of other browsers."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from portal.storage.models import Identity
from tests.api.shop import new_shop
from tests.mmdb import write_mmdb
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import Framed, allow

EMAIL, BOB = "ada@example.com", "bob@example.com"
PATH = "/account/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def signed_in(site: Site, user_agent: str, address: str = "192.0.2.10") -> Browser:
    browser = site.browser(address)
    typed = {"email": EMAIL, "password": PASSWORD}
    browser.post(browser.open("/login").form(), typed, headers={"User-Agent": user_agent})
    return browser


def ends(page: Page) -> list[str]:
    """Return the addresses of the buttons in the list."""
    return [form.action for form in page.forms if form.action.endswith("/end")]


def test_each_session_is_shown_with_browser_place_and_time(start: Start, tmp_path: Path) -> None:
    places = {"198.51.100.0/24": {"city": {"names": {"en": "Prague"}}, "country": {"iso_code": "CZ"}}}
    site = start(GEOIP_DATABASE=str(write_mmdb(tmp_path / "places.mmdb", places)))
    here = site.customer(EMAIL)
    signed_in(site, FIREFOX, "198.51.100.7")
    mine, other = here.open(PATH).tree.one("ul", class_="card sessions").all("li")
    assert "Current session" in mine.text
    assert mine.all("form") == []
    assert "Firefox on Linux" in other.text
    assert "Prague, CZ · 198.51.100.7" in other.text
    assert len(other.all("time")) == 2


def test_an_ended_browser_is_out_at_its_next_request(site: Site) -> None:
    here, there = site.customer(EMAIL), signed_in(site, FIREFOX)
    page = here.open(PATH)
    (action,) = ends(page)
    answer = here.post(page.form(action))
    assert answer.location == PATH
    assert "The session has ended." in here.follow(answer).words
    assert not there.is_signed_in
    assert here.is_signed_in
    assert here.post(page.form(action)).location == PATH


def test_all_others_are_out_at_their_next_request(site: Site) -> None:
    here, others = site.customer(EMAIL), [signed_in(site, FIREFOX) for _ in range(3)]
    answer = here.fill(PATH, submit_to=f"{PATH}/end-others")
    assert "You've been signed out everywhere else." in here.follow(answer).words
    assert [browser.is_signed_in for browser in (here, *others)] == [True, False, False, False]


@pytest.mark.parametrize("known", [True, False])
def test_what_is_not_their_own_is_not_there(site: Site, known: bool) -> None:
    bob = site.customer(BOB)
    ada = site.customer(EMAIL)
    signed_in(site, FIREFOX)
    rows = site.rows()["identity"]
    foreign = min(row["id"] for row in rows) if known else 999_999
    form = ada.open(PATH).form(f"{PATH}/end-others")
    for path in (f"{PATH}/{foreign}/end", f"{PATH}/{2**40}/end", f"{PATH}/x/end"):
        assert ada.send(path, "POST", data=form.fields).status == 404
    assert bob.is_signed_in


def test_sessions_in_a_frame_and_at_a_shop_are_named_as_such(start: Start) -> None:
    shop = allow(start(BASE_URL="https://portal.example.com"))
    here = shop.customer(EMAIL)
    Framed(shop.app).sign_in(EMAIL, PASSWORD)
    assert new_shop(shop).post("login", email=EMAIL, password=PASSWORD).json["success"]
    words = here.open(PATH).words
    assert "Inside another site" in words
    assert "Shop or service" in words


def test_a_stale_button_shows_the_list_again(site: Site) -> None:
    here, there = site.customer(EMAIL), signed_in(site, FIREFOX)
    page = here.open(PATH)
    (action,) = ends(page)
    again = here.post(page.form(action), {"csrf_token": "x"})
    assert again.status == 400
    assert ends(again) == [action]
    assert there.is_signed_in


def add_sessions(site: Site, count: int) -> None:
    (first, *_) = site.rows()["identity"]
    columns = {column.key: first[column.name] for column in Identity.c if column.key != "id"}
    known = len(site.rows()["identity"])
    rows = [{**columns, "digest": number.to_bytes(32)} for number in range(known, known + count)]
    with site.context.database.write() as connection:
        connection.execute(insert(Identity), rows)


@pytest.mark.full
def test_a_page_costs_as_many_statements_for_one_session_as_for_many(site: Site) -> None:
    here = site.customer(EMAIL)
    for count in (1, 8, 9_990):
        add_sessions(site, count)
        for path in (PATH, "/account"):
            with site.statements() as noted:
                here.send(path)
            assert len([statement for statement in noted if statement.startswith("SELECT")]) == 2, (path, count)


def test_it_is_for_customers_who_are_signed_in(site: Site) -> None:
    assert site.browser().send(PATH).location == f"/login?next={PATH}"


@pytest.mark.parametrize("button", ["1/end", "end-others"])
def test_a_buttons_address_leads_to_the_list(site: Site, button: str) -> None:
    assert site.customer(EMAIL).send(f"{PATH}/{button}").location == PATH
