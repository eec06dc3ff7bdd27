"""The check of a new password while it is typed."""

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
    """Send what the page's script sends."""
    token = browser.open("/register").forms[0].token
    return browser.send(
        "/password/strength", "POST", data={"csrf_token": token, "password": password, "email": EMAIL, **beside}
    )


def test_an_acceptable_password_is_called_strong_enough(site: Site) -> None:
    answer = judge(site.browser(), PASSWORD)

    assert (answer.status, answer.json) == (200, {"fit": True, "words": "Strong enough."})
    assert_headers(answer)


@pytest.mark.parametrize("password", WEAK, ids=lambda password: password[:12])
def test_an_unacceptable_password_gets_the_message_of_the_refusal(site: Site, password: str) -> None:
    browser = site.browser()
    names = {"first_name": "Marzipetto", "last_name": "Quill"}
    answer = judge(browser, password, **names)
    refused = browser.register(EMAIL, password, **names)

    assert answer.status == 200
    assert answer.json["fit"] is False
    words = dict(refused.problems)["password"]
    if password and len(password) <= MAX_LENGTH:  # the form has its own messages for the other fields
        assert answer.json["words"] == words
    assert answer.json["words"]


def test_a_password_weak_against_offline_guessing_is_not_called_strong(site: Site) -> None:
    assert judge(site.browser(), "xq7Rv#2k").json == {"fit": True, "words": "It will do. A longer one is safer."}


def test_a_breached_password_is_refused(start: Start, tmp_path: Path) -> None:
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
def test_values_of_the_other_fields_count_as_personal(site: Site, beside: dict[str, str], password: str) -> None:
    assert "made of your name or address" in judge(site.browser(), password, **beside).json["words"]
    assert judge(site.browser(), "marzipetto1").json["fit"] is True


def test_the_name_of_the_signed_in_customer_counts_as_personal(site: Site) -> None:
    browser = site.customer(EMAIL, first_name="Marzipetto")
    form = browser.open("/account/password").form("/account/password")
    answer = browser.send("/password/strength", "POST", data={"csrf_token": form.token, "password": "marzipetto1"})
    assert "made of your name or address" in answer.json["words"]


def test_the_message_is_in_the_language_of_the_page(site: Site) -> None:
    browser = site.browser()
    token = browser.open("/register").form("/register").token
    czech = browser.send(
        "/password/strength",
        "POST",
        data={"csrf_token": token, "password": PASSWORD},
        headers={"Accept-Language": "cs"},
    )

    assert czech.json["words"] == "Dostatečně silné."


def test_the_password_check_reveals_no_customer_and_runs_no_query(site: Site, hashes: list[bytes]) -> None:
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


def test_the_password_check_does_not_reveal_a_former_password(site: Site) -> None:
    browser = site.customer(EMAIL)
    changed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
    assert browser.fill("/account/password", changed, submit_to="/account/password").status == 302

    for password in (PASSWORD, "nine grey otters swim", "four red foxes sleep"):
        assert judge(browser, password).json["fit"] is True


def test_the_password_check_needs_the_csrf_token_and_our_own_origin(site: Site) -> None:
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


def test_the_password_check_is_rate_limited(site: Site) -> None:
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


def test_the_log_holds_no_typed_password(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for password in (PASSWORD, "canary12"):
        judge(site.browser(), password, first_name="Marzipetto")

    assert "/password/strength" in caplog.text
    assert not any(word in caplog.text for word in (PASSWORD, "canary12", "Marzipetto", EMAIL))


def test_each_page_with_a_new_password_has_the_url_of_the_check(site: Site) -> None:
    browser = site.customer(EMAIL)
    browser.ask_for_reset(EMAIL)

    for asking, path in ((site.browser(), "/register"), (browser, "/account/password"), (browser, site.link(EMAIL))):
        (box,) = [box for box in asking.open(path).tree.all("div", class_="password") if box.get("data-judged-by")]
        assert box.get("data-judged-by") == "/password/strength"
        assert box.one("input").get("name") == "password"
    assert "data-judged-by" not in site.browser().open("/login").text
