"""What is said of a new password while it is typed."""

import logging
from hashlib import sha1
from pathlib import Path

import pytest

from portal.domain.passwords.policy import MAX_LENGTH
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_headers

EMAIL = "ada@example.com"
WEAK = ["", "short", "password", "12345678", "qwertyuiop", "marzipetto", "x" * (MAX_LENGTH + 1)]


def judge(browser: Browser, password: str, **beside: str) -> Page:
    """What the page's script does."""
    token = browser.open("/register").forms[0].token
    return browser.send(
        "/password/strength", "POST", data={"csrf_token": token, "password": password, "email": EMAIL, **beside}
    )


def test_a_password_that_would_be_taken_is_called_strong_enough(site: Site) -> None:
    answer = judge(site.browser(), PASSWORD)

    assert (answer.status, answer.json) == (200, {"fit": True, "words": "Strong enough."})
    assert_headers(answer)


@pytest.mark.parametrize("password", WEAK, ids=lambda password: password[:12])
def test_a_password_that_would_be_refused_is_told_so_in_the_words_of_the_refusal(site: Site, password: str) -> None:
    browser = site.browser()
    names = {"first_name": "Marzipetto", "last_name": "Quill"}
    answer = judge(browser, password, **names)
    refused = browser.register(EMAIL, password, **names)

    assert answer.status == 200
    assert answer.json["fit"] is False
    words = dict(refused.problems)["password"]
    if password and len(password) <= MAX_LENGTH:  # of the others the form has its own words
        assert answer.json["words"] == words
    assert answer.json["words"]


def test_a_password_that_guessing_by_its_hash_would_find_is_not_called_strong(site: Site) -> None:
    assert judge(site.browser(), "xq7Rv#2k").json == {"fit": True, "words": "It will do. A longer one is safer."}


def test_a_password_of_a_known_breach_is_refused(start: Start, tmp_path: Path) -> None:
    digest = sha1(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()
    (tmp_path / "hashes.txt").write_text(f"{digest}:3\n")
    site = start(PWNED_PASSWORDS_FILE=str(tmp_path / "hashes.txt"))
    browser = site.browser()
    words = judge(browser, PASSWORD).json["words"]
    assert words.startswith("This password is known from a data breach")
    assert dict(browser.register(EMAIL, PASSWORD).problems)["password"] == words
    assert judge(browser, PASSWORD + "!").json["fit"] is True


@pytest.mark.parametrize(
    ("beside", "password"),
    [
        ({"email": "marzipetto@example.com"}, "marzipetto1"),
        ({"first_name": "Marzipetto"}, "1marzipetto"),
        ({"last_name": "Marzipetto"}, "marzipetto!"),
        ({}, "Customer portal"),
    ],
)
def test_what_was_typed_beside_it_counts_as_personal(site: Site, beside: dict[str, str], password: str) -> None:
    assert "made of your name or address" in judge(site.browser(), password, **beside).json["words"]
    assert judge(site.browser(), "marzipetto1").json["fit"] is True


def test_the_name_of_who_is_signed_in_counts_as_personal(site: Site) -> None:
    browser = site.customer(EMAIL, first_name="Marzipetto")
    form = browser.open("/account/password").form("/account/password")
    answer = browser.send("/password/strength", "POST", data={"csrf_token": form.token, "password": "marzipetto1"})
    assert "made of your name or address" in answer.json["words"]


def test_the_words_are_in_the_language_of_the_page(site: Site) -> None:
    browser = site.browser()
    token = browser.open("/register").form("/register").token
    czech = browser.send(
        "/password/strength",
        "POST",
        data={"csrf_token": token, "password": PASSWORD},
        headers={"Accept-Language": "cs"},
    )

    assert czech.json["words"] == "Dostatečně silné."


def test_it_tells_nothing_of_a_customer_and_asks_the_database_nothing(site: Site, hashes: list[bytes]) -> None:
    site.customer(EMAIL)
    browser, stranger = site.browser(), "nobody@example.com"
    hashes.clear()
    before = site.rows()
    browser.open("/register")
    with site.statements() as statements:
        known, unknown = (judge(browser, PASSWORD, email=email) for email in (EMAIL, stranger))

    assert known.json == unknown.json == {"fit": True, "words": "Strong enough."}
    assert statements == []
    assert hashes == []
    assert site.rows() == before


def test_a_former_password_is_as_good_as_any_other_there(site: Site) -> None:
    browser = site.customer(EMAIL)
    changed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
    assert browser.fill("/account/password", changed, submit_to="/account/password").status == 302

    for password in (PASSWORD, "nine grey otters swim", "four red foxes sleep"):
        assert judge(browser, password).json["fit"] is True


def test_it_needs_the_token_of_the_page_and_takes_nothing_from_other_sites(site: Site) -> None:
    browser = site.browser()
    token = browser.open("/register").form().token
    typed = {"password": PASSWORD, "csrf_token": token}

    for data, headers in (
        ({**typed, "csrf_token": "x"}, {}),
        ({"password": PASSWORD}, {}),
        (typed, {"Sec-Fetch-Site": "cross-site"}),
        (typed, {"Origin": "https://evil.example"}),
    ):
        answer = browser.send("/password/strength", "POST", data=data, headers=headers)
        assert answer.status == 400
        assert "Strong enough" not in answer.text
    assert browser.send("/password/strength").location == "/"
    repeated = {"csrf_token": token, "password": [PASSWORD, "x"]}
    assert browser.send("/password/strength", "POST", data=repeated).status == 422


def test_it_is_asked_so_often_and_no_more(site: Site) -> None:
    browser = site.browser()
    token = browser.open("/register").form().token

    def answer() -> Page:
        return browser.send("/password/strength", "POST", data={"csrf_token": token, "password": "x"})

    assert {answer().status for _ in range(600)} == {200}
    refused = answer()
    assert (refused.status, refused.json) == (429, {})
    assert 0 < int(refused.headers["Retry-After"]) <= 600
    assert judge(site.browser("198.51.100.1"), PASSWORD).status == 200
    assert browser.register(EMAIL, PASSWORD).status == 302


def test_no_log_holds_what_is_typed(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for password in (PASSWORD, "canary12"):
        judge(site.browser(), password, first_name="Marzipetto")

    assert "/password/strength" in caplog.text
    assert not any(word in caplog.text for word in (PASSWORD, "canary12", "Marzipetto", EMAIL))


def test_each_page_where_a_password_is_chosen_says_where_to_ask(site: Site) -> None:
    browser = site.customer(EMAIL)
    browser.ask_for_reset(EMAIL)

    for asking, path in ((site.browser(), "/register"), (browser, "/account/password"), (browser, site.link(EMAIL))):
        (box,) = [box for box in asking.open(path).tree.all("div", class_="password") if box.get("data-judged-by")]
        assert box.get("data-judged-by") == "/password/strength"
        assert box.one("input").get("name") == "password"
    assert "data-judged-by" not in site.browser().open("/login").text
