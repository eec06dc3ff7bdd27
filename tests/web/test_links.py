"""The links in emails: their lifetime, purpose and single use."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine

from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page
from tests.web.post import text_of

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECONDS = timedelta(seconds=1)


def verify_link(site: Site) -> str:
    site.browser().register(EMAIL, PASSWORD)
    return site.link(EMAIL)


def reset_link(site: Site) -> str:
    site.customer(EMAIL).ask_for_reset(EMAIL)
    return site.link(EMAIL)


def sign_in_link(site: Site) -> str:
    site.customer(EMAIL)
    site.browser().fill("/login/link", {"email": EMAIL})
    return site.link(EMAIL)


KINDS = pytest.mark.parametrize(
    ("make", "password", "lifetime"),
    [
        (verify_link, PASSWORD, timedelta(hours=24)),
        (reset_link, SECOND, timedelta(minutes=30)),
        (sign_in_link, None, timedelta(minutes=15)),
    ],
    ids=["verify", "reset", "sign in"],
)


@KINDS
def test_an_expired_link_is_refused_to_the_second(
    site: Site, make: Callable[[Site], str], password: str, lifetime: timedelta
) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        link = make(site)
        browser = site.browser()
        clock.shift(lifetime - SECONDS)
        form = browser.open(link).form()
        clock.shift(2 * SECONDS)
        for page in (browser.open(link), browser.post(form, {"password": password})):
            assert_error_page(page, 410)
            assert "This link has expired" in page.words
        clock.shift(-2 * SECONDS)
        assert browser.post(form, {"password": password}).status == 302


@pytest.mark.parametrize(
    ("make", "setting"), [(verify_link, "VERIFY_LIFETIME"), (reset_link, "RESET_LIFETIME")], ids=["verify", "reset"]
)
def test_the_link_lifetime_is_a_setting_and_stands_in_the_email(
    start: Start, make: Callable[[Site], str], setting: str
) -> None:
    site = start(**{setting: "90 minutes"})
    with time_machine.travel(NOW, tick=False) as clock:
        link = make(site)
        assert "1 hour 30 minutes" in " ".join(text_of(site.mails(EMAIL)[-1]).split())
        clock.shift(timedelta(minutes=90) - SECONDS)
        assert site.browser().open(link).status == 200
        clock.shift(SECONDS)
        assert site.browser().open(link).status == 410


@KINDS
def test_a_used_link_is_refused(site: Site, make: Callable[[Site], str], password: str, lifetime: timedelta) -> None:
    link = make(site)
    for method in ("GET", "HEAD") * 5:
        scanner = {"User-Agent": "Mozilla/5.0 (compatible; SafeLinks/1.0)"}
        assert site.browser().send(link, method, headers=scanner).status == 200
    browser, late = site.browser(), site.browser()
    form = late.open(link).form()

    assert browser.fill(link, {"password": password}).status == 302
    for page in (late.post(form, {"password": password}), late.open(link)):
        assert_error_page(page, 410)
    assert not late.is_signed_in
    assert browser.send(link).location == "/account"


def test_a_link_is_refused_for_another_purpose(site: Site) -> None:
    site.browser().register("bob@example.com", PASSWORD)
    tokens = {"verify": site.link("bob@example.com").rpartition("/")[2], "reset": reset_link(site).rpartition("/")[2]}
    paths = {"verify": "/register/verify/", "reset": "/password/reset/"}
    browser = site.browser()
    csrf = browser.open("/login").form().token

    for purpose, token in tokens.items():
        for place, path in paths.items():
            expected = 200 if purpose == place else 404
            assert browser.send(path + token).status == expected
            if purpose != place:
                typed = {"csrf_token": csrf, "password": SECOND}
                assert browser.send(path + token, "POST", data=typed).status == 404
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.parametrize("path", ["/password/reset/", "/register/verify/", "/not-me/"])
@pytest.mark.parametrize(
    "token",
    [
        "none",
        "a" * 4000,
        "a.b",
        ".",
        "%00",
        "é" * 20,
        "\u2028",
        "%ff%fe",
        "a" * 32 + "." + "b" * 43,
        "{{7*7}}",
        "%2e%2e",
    ],
    ids=ascii,
)
def test_a_token_that_was_never_issued_is_a_404_without_a_query(site: Site, path: str, token: str) -> None:
    browser = site.browser()
    csrf = browser.open("/login").form().token
    with site.statements() as statements:
        pages = [
            browser.send(path + (token if "%" in token else quote(token)), method, data={"csrf_token": csrf})
            for method in ("GET", "POST")
        ]

    assert [page.status for page in pages] == [404, 404]
    assert statements == []
    for page in pages:
        assert_error_page(page, 404)
        (came_from,) = {field.get("value") for field in page.tree.all("input", name="next")}
        assert token not in page.text.replace(came_from, "") or len(token) < 5


def test_a_token_with_one_character_changed_is_a_404(site: Site) -> None:
    link = reset_link(site)
    path, _, token = link.rpartition("/")
    changed = [token[:n] + ("a" if token[n] != "a" else "b") + token[n + 1 :] for n in range(0, len(token), 7)]

    assert {site.browser().send(f"{path}/{other}").status for other in [*changed, token + "a", token[1:]]} == {404}
    assert site.browser().send(link).status == 200


def withdrawn_by_ban(site: Site, _browser: Browser) -> None:
    site.ban(EMAIL)


def withdrawn_by_change(_site: Site, browser: Browser) -> None:
    typed = {"current_password": PASSWORD, "password": SECOND}
    assert browser.fill("/account/password", typed, submit_to="/account/password").status == 302


@pytest.mark.parametrize("withdraw", [withdrawn_by_ban, withdrawn_by_change], ids=lambda function: function.__name__)
def test_a_link_is_withdrawn_when_it_no_longer_applies(site: Site, withdraw: Callable[[Site, Browser], None]) -> None:
    browser, other = site.customer(EMAIL), site.browser()
    browser.ask_for_reset(EMAIL)
    link = site.link(EMAIL)
    form = other.open(link).form()
    withdraw(site, browser)

    assert_error_page(other.open(link), 410)
    assert_error_page(other.post(form, {"password": "four red foxes sleep"}), 410)


def test_confirming_one_registration_ends_the_others_of_the_address(site: Site) -> None:
    stranger, owner = site.browser("198.51.100.66"), site.browser()
    stranger.register(EMAIL, "the strangers own words")
    foreign = site.link(EMAIL)
    owner.register(EMAIL, PASSWORD)
    own = site.link(EMAIL)

    assert owner.open(foreign).form().fields.keys() >= {"password"}
    assert owner.fill(own).status == 302
    assert stranger.open(foreign).status == 410
    assert site.browser().sign_in(EMAIL, "the strangers own words").status == 422
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_a_reset_applies_to_the_customer_of_the_link_only(site: Site) -> None:
    site.customer("bob@example.com")
    link = reset_link(site)
    other = {"email": "bob@example.com", "token": "x", "contact_id": "1", "username": "bob@example.com"}
    assert site.browser().fill(link, {"password": SECOND, **other}).status == 302

    assert site.browser().sign_in("bob@example.com", PASSWORD).status == 302
    assert site.browser().sign_in(EMAIL, SECOND).status == 302


def test_the_database_holds_no_token(site: Site) -> None:
    link = reset_link(site)
    token = link.rpartition("/")[2]

    assert token not in repr(site.rows())
    assert len(token) > 60


def test_no_page_of_a_link_repeats_its_token(site: Site) -> None:
    link = reset_link(site)
    browser = site.browser()
    form = browser.open(link).form()
    assert not browser.is_signed_in
    done = browser.post(form, {"password": SECOND})

    assert done.location == "/account"
    assert link.rpartition("/")[2] not in browser.follow(done).text
