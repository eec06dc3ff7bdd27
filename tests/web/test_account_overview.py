"""The overview of the account."""

from pathlib import Path

from tests.mmdb import write_mmdb
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import SHOP, allow

EMAIL = "ada@example.com"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)


def test_the_number_stands_in_groups_of_four_and_is_copied_whole(site: Site) -> None:
    (number,) = site.customer(EMAIL).open("/account").tree.all("span", class_="reference")
    assert [len(group.text) for group in number.all("span")] == [4] * 4
    assert len(number.text) == 16


def test_the_page_is_marked_in_the_navigation(site: Site) -> None:
    page = site.customer(EMAIL).open("/account")
    assert [link.text for link in page.tree.all("a", aria_current="page")] == ["Overview"]


def test_the_sign_in_before_this_one_is_shown_with_browser_and_place(start: Start, tmp_path: Path) -> None:
    places = {"192.0.2.0/24": {"city": {"names": {"en": "Prague"}}, "country": {"iso_code": "CZ"}}}
    site = start(GEOIP_DATABASE=str(write_mmdb(tmp_path / "places.mmdb", places)))
    site.customer(EMAIL)
    elsewhere = site.browser()
    form = elsewhere.open("/login").form()
    elsewhere.post(form, {"email": EMAIL, "password": PASSWORD}, headers={"User-Agent": CHROME})
    here = site.browser("198.51.100.7")
    here.sign_in(EMAIL, PASSWORD)
    words = here.open("/account").words
    assert "Chrome on Windows · Prague, CZ · 192.0.2.10" in words
    assert " UTC" in words


def test_the_overview_says_when_there_was_no_earlier_sign_in(site: Site) -> None:
    assert "There's no earlier sign-in to show." in site.customer(EMAIL).open("/account").words


def test_a_change_of_password_is_no_sign_in(site: Site) -> None:
    browser = site.customer(EMAIL)
    changed = browser.fill("/account/password", {"current_password": PASSWORD, "password": "nine grey otters swim"})
    assert changed.location == "/account"
    assert "There's no earlier sign-in to show." in browser.open("/account").words


def test_the_last_sign_in_is_the_latest_even_after_a_change_of_password(site: Site) -> None:
    browser = site.customer(EMAIL)
    site.browser("198.51.100.77").sign_in(EMAIL, PASSWORD)
    browser.fill("/account/password", {"current_password": PASSWORD, "password": "nine grey otters swim"})
    here = site.browser("203.0.113.9")
    here.sign_in(EMAIL, "nine grey otters swim")
    assert "198.51.100.77" in here.open("/account").words


def test_a_customer_without_a_name_is_asked_for_one(site: Site) -> None:
    site.guest(EMAIL)
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    browser.fill(site.link(EMAIL))
    page = browser.open("/account")
    assert page.tree.one("h1").text == "Your account with Customer portal"
    for name, words in (("first_name", "Add your first name"), ("last_name", "Add your last name")):
        assert page.tree.one("a", href=f"/account/profile#{name}").text == words


def test_the_overview_leads_back_to_the_first_return_origin(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert "Back to" not in browser.open("/account").words
    allow(site, back=(SHOP, "https://other.example.com"))
    (link,) = browser.open("/account").tree.one("p", class_="back").all("a")
    assert (link.get("href"), link.text) == (SHOP, "Back to shop.example.com")


def test_what_the_account_lacks_can_wait(site: Site) -> None:
    card = site.customer(EMAIL).open("/account").tree.one("section", aria_labelledby="todo")
    assert card.text.startswith("Finish setting up your account Now, or whenever it suits you.")
