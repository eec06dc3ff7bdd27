"""The host selects the organisation, whose name, links and sender its pages and emails have."""

import pytest

from portal.domain.operations.organisation_settings import (
    change_organisation,
)
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page, assert_headers
from tests.web.organisations.conftest import (
    BASE_URL,
    EMAIL,
    LINKS,
    OTHER_PASSWORD,
    STRANGE_NAME,
    Shop,
    portal_of,
    registration_email,
    shop_of,
)
from tests.web.post import html_of, link_in, text_of


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("login.kamen.example:5000", "Kámen"),
        ("LOGIN.Kamen.Example", "Kámen"),
        ("login.sklo.example", STRANGE_NAME),
        ("portal.example.com:5000", "Customer portal"),
        ("127.0.0.1:5000", "Customer portal"),
        ("[::1]:5000", "Customer portal"),
        ("login.kamen.example.", "Customer portal"),
        ("login.kamen.example.evil.example", "Customer portal"),
        ("evil.example", "Customer portal"),
    ],
)
def test_the_host_decides_the_organisation(many: Site, host: str, name: str) -> None:
    page = many.browser().send("/login", headers={"Host": host})
    assert page.title == f"Sign in · {name}"
    assert page.tree.one("header").text == name
    assert_headers(page)


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/no/such/page", "/account"])
def test_an_unknown_host_is_never_repeated(many: Site, path: str) -> None:
    page = many.browser().send(path, headers={"Host": "evil.example"})
    assert "evil.example" not in page.text
    assert "evil.example" not in str(page.headers)


def test_error_pages_are_the_organisations_too(kamen: Shop) -> None:
    page = kamen.browser().open("/no/such/page")
    assert_error_page(page, 404)
    assert "Kámen" in page.title


def test_a_forwarded_host_counts_only_from_a_trusted_proxy(many: Site, start: Start) -> None:
    headers = {"X-Forwarded-Host": "login.kamen.example"}
    assert "Customer portal" in many.browser().send("/login", headers=headers).title
    behind_proxy = start(BASE_URL=BASE_URL, TRUSTED_PROXIES="1")
    assert "Kámen" in behind_proxy.browser().send("/login", headers=headers).title
    twice = {"X-Forwarded-Host": "login.kamen.example, login.sklo.example"}
    assert STRANGE_NAME in behind_proxy.browser().send("/login", headers=twice).title


def test_an_organisations_name_is_escaped_everywhere(sklo: Shop) -> None:
    browser = sklo.browser()
    for path in ("/login", "/register", "/password/reset", "/no/such/page"):
        page = browser.open(path)
        assert "<b>" not in page.text
        assert STRANGE_NAME in page.tree.one("header").text
    mail = registration_email(sklo)
    assert mail["From"].addresses[0].display_name == STRANGE_NAME
    assert STRANGE_NAME in mail["Subject"]
    assert STRANGE_NAME in text_of(mail)
    assert "<b>" not in html_of(mail)


def test_its_links_stand_in_the_footer_and_open_in_a_new_tab(sklo: Shop) -> None:
    page = sklo.browser().open("/login")
    links = {link.text: link for link in page.tree.one("footer").all("a")}
    assert {words: link.get("href") for words, link in links.items()} == {
        "Help: help+portal@sklo.example.com": "mailto:help%2Bportal@sklo.example.com",
        "Privacy (opens in a new tab)": "https://sklo.example/privacy?a=1&b=2",
        "Terms (opens in a new tab)": "https://sklo.example/terms",
    }
    for words in ("Privacy (opens in a new tab)", "Terms (opens in a new tab)"):
        assert (links[words].get("rel"), links[words].get("target")) == ("noopener", "_blank")


def test_registration_links_terms_and_privacy_beside_the_button(sklo: Shop) -> None:
    main = sklo.browser().open("/register").tree.one("main")
    assert f"By creating an account you agree to the terms of {STRANGE_NAME} (opens in a new tab)." in main.text
    assert "The privacy notice (opens in a new tab) explains how your data is used." in main.text
    assert {link.get("href") for link in main.one("form").all("a")} == {LINKS["terms_url"], LINKS["privacy_url"]}


def test_each_of_the_links_may_stand_alone(many: Site) -> None:
    change_organisation(many.context, "kamen", {"privacy_url": "https://kamen.example/p"}, portal_of(many))
    page = shop_of(many, "kamen").browser().open("/register")
    assert "By creating an account" not in page.words
    assert "privacy notice" in page.words
    assert [link.get("href") for link in page.tree.one("footer").all("a")] == ["https://kamen.example/p"]


def test_an_organisation_without_links_shows_none(kamen: Shop) -> None:
    page = kamen.browser().open("/register")
    assert page.tree.one("footer").all("a") == []
    assert page.tree.one("main").one("form").all("a") == []
    mail = registration_email(kamen)
    assert "Privacy" not in text_of(mail) + html_of(mail)


def test_its_links_stand_in_its_emails(sklo: Shop) -> None:
    mail = registration_email(sklo)
    lines = " ".join(text_of(mail).split())
    assert lines.endswith(
        "Help: help+portal@sklo.example.com Privacy: https://sklo.example/privacy?a=1&b=2"
        " Terms: https://sklo.example/terms"
    )
    for href in ("mailto:help%2Bportal@", "https://sklo.example/privacy?a=1&amp;b=2", "https://sklo.example/terms"):
        assert f'href="{href}' in html_of(mail)


def test_emails_come_from_its_sender_and_link_to_its_host(kamen: Shop) -> None:
    browser = kamen.customer()
    browser.sign_out()
    browser.ask_for_reset(EMAIL)
    browser.fill(kamen.link(), {"password": OTHER_PASSWORD})
    browser.sign_out()
    browser.fill("/login/link", {"email": EMAIL})
    assert len(kamen.mails()) == 4
    for mail in kamen.site.mails(EMAIL):
        assert str(mail["From"]) == "Kámen <mail@kamen.example.com>"
        for part in (text_of(mail), html_of(mail)):
            assert "http://login.kamen.example:5000/" in part
            assert "portal.example.com" not in part
    envelopes = {mail.envelope.sender for mail in kamen.site.mails(EMAIL)}  # type: ignore[attr-defined] # the sink's
    assert envelopes == {"mail@kamen.example.com"}


def test_links_use_the_stored_host_not_the_host_header(kamen: Shop) -> None:
    browser = kamen.browser()
    form = browser.open("/register").form()
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    spoofed = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Host": "login.kamen.example:8080"}
    assert browser.post(form, typed, headers=spoofed).status == 302
    assert link_in(kamen.mails()[-1]).startswith("http://login.kamen.example:5000/register/verify/")
