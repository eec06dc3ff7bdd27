"""Requests that another site makes a browser send."""

from collections.abc import Callable

import pytest

from tests.web.browser import Form
from tests.web.conftest import Site, Start
from tests.web.filled_forms import EMAIL, FILLED_FORMS, FilledForm, login

pytestmark = pytest.mark.on_sqlite  # not about the database


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:5000.evil.example"},
    {"Origin": "http://127.0.0.1:50000"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://evil.example/127.0.0.1:5000"},
    {"Origin": "http://127.0.0.1:5000@evil.example"},
    {"Origin": "http://["},
    {"Origin": "http://[::1"},
    {"Origin": "\x80\xff"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:5000"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:5000"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-origin,cross-site"},
    {"Sec-Fetch-Site": ""},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_cross_site_post_is_refused_even_with_a_valid_token(site: Site, headers: dict[str, str]) -> None:
    browser, form, typed = login(site)
    before = site.rows()
    page = browser.post(form, typed, headers=headers)

    assert page.status == 400
    assert page.title.startswith("Error: ")
    assert "This form may have come from another website" in page.words  # `Origin: null` may be the portal's own
    assert EMAIL not in page.text
    assert {name for name, value in page.form("/login").fields.items() if value} == {"csrf_token"}
    assert site.rows() == before
    assert not browser.is_signed_in


def test_a_cross_site_sign_out_is_not_told_that_it_is_signed_out(site: Site) -> None:
    """Browsers send no `SameSite=Lax` cookie with such a form, so that the portal cannot know."""
    page = site.browser().send("/logout", "POST", headers={"Sec-Fetch-Site": "cross-site"})

    assert page.status == 400
    assert page.problems == [
        ("", "This form may have come from another website, so nothing was changed. Please fill it in here.")
    ]
    assert "signed in" not in page.words
    assert page.form("/logout").token


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:5000"},
        {"Origin": "http://127.0.0.1:5000", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "HTTP://127.0.0.1:5000"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},  # a proxy has added Referrer-Policy: no-referrer
        {"Origin": "https://tunnel.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
    ids=str,
)
def test_a_same_origin_post_is_accepted(site: Site, headers: dict[str, str]) -> None:
    browser, form, typed = login(site)

    assert browser.post(form, typed, headers=headers).location == "/account/password"


MARK = "planted-by-another-site"


def ask_for_link(site: Site) -> FilledForm:
    browser = site.browser()
    return browser, browser.open("/login/link?next=/account/password").form(), {"email": EMAIL}


def code(site: Site) -> FilledForm:
    browser = site.browser()
    browser.fill("/login/link", {"email": EMAIL})
    return browser, browser.open("/login/code").form("/login/code"), {"code": "123456", "remember": "y"}


def link(site: Site) -> FilledForm:
    site.customer(EMAIL)
    site.browser().fill("/login/link", {"email": EMAIL})
    browser = site.browser()
    return browser, browser.open(site.link(EMAIL)).form(), {"remember": "y"}


def log_out(site: Site) -> FilledForm:
    browser = site.customer(EMAIL)
    return browser, browser.open("/account").form("/logout"), {}


def language(site: Site) -> FilledForm:
    browser = site.browser()
    return browser, browser.open("/register").form("/language"), {"locale": "cs"}


@pytest.mark.parametrize(
    "fill_in", [*FILLED_FORMS, ask_for_link, code, link, log_out, language], ids=lambda fill_in: fill_in.__name__
)
def test_values_of_a_cross_site_post_are_not_shown(site: Site, fill_in: Callable[[Site], FilledForm]) -> None:
    browser, form, typed = fill_in(site)
    before = (len(site.mails()), site.rows())
    planted = dict.fromkeys({*form.fields, *typed} - {"csrf_token"}, f"{MARK}@evil.example")
    planted |= {"remember": "y", "newsletter": "y", "next": f"/account/{MARK}", "ref": MARK, "state": MARK}
    planted |= {"return_url": f"https://shop.example.com/{MARK}", "nonce": MARK, "locale": MARK, "code": MARK}
    query = f"?next=/account/{MARK}&ref={MARK}&nonce={MARK}&return_url=/{MARK}&{MARK}=1"

    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        for address, token in ((form.action, form.token), (form.action + query, form.token), (form.action, None)):
            page = browser.post(Form(address, form.fields), {**planted, "csrf_token": token}, headers=headers)
            assert page.status == 400
            assert MARK not in page.text
            assert not any(MARK in value for _, value in page.headers)
            assert "too long" not in page.words  # it would not be true
            assert page.forms
            for shown in page.forms:
                filled = {name for name, value in shown.fields.items() if value}
                assert filled <= {"csrf_token", "username", *(["next"] if shown.action == "/language" else [])}
    assert (len(site.mails()), site.rows()) == before


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/password/strength", "/handover", "/none", "/healthz", "/account"])
def test_values_of_a_cross_site_post_are_not_shown_on_pages_without_a_form(
    site: Site, path: str, headers: dict[str, str]
) -> None:
    sent = {"email": MARK, "next": f"/{MARK}", "password": MARK, "nonce": MARK}
    page = site.browser().send(f"{path}?next=/{MARK}&{MARK}", "POST", data=sent, headers=headers)
    assert page.status == 400
    assert MARK not in page.text


@pytest.mark.parametrize("path", ["/login", "/register", "/logout", "/account/password", "/nowhere"])
def test_another_site_cannot_replace_the_session_of_a_visitor(site: Site, path: str) -> None:
    # A browser sends no Lax cookie with a cross-site POST.
    page = site.browser().send(path, "POST", data={"x": "y"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert page.status == (302 if path == "/account/password" else 400)
    assert "Set-Cookie" not in page.headers


def test_the_new_tab_link_holds_no_values_of_a_cross_site_post(site: Site) -> None:
    framed = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    said = {"return_url": f"https://shop.example.com/{MARK}", "state": MARK, "nonce": MARK, "locale": MARK}
    page = site.browser().send("/register", "POST", data=said, headers=framed)
    (link,) = page.tree.one("main").all("a")
    assert (page.status, link.get("href")) == (400, "/register")


class TestPortalUrl:
    """The public address may differ from the host of the request."""

    @pytest.mark.parametrize(
        ("base_url", "host", "origin", "taken"),
        [
            ("https://portal.example.com", "portal.example.com", "https://portal.example.com", True),
            ("https://portal.example.com:443", "portal.example.com", "https://portal.example.com", True),
            ("https://portal.example.com:443", "portal.example.com:443", "https://portal.example.com", True),
            ("https://portal.example.com", "portal.example.com:443", "https://portal.example.com", True),
            ("http://portal.example.com:80", "portal.example.com", "http://portal.example.com", True),
            ("http://portal.example.com", "portal.example.com:80", "http://portal.example.com", True),
            ("https://portal.example.com", "127.0.0.1:5000", "https://portal.example.com", True),
            ("https://portal.example.com:443", "127.0.0.1:5000", "https://portal.example.com", True),
            ("https://portal.example.com", "Other.example.com", "https://other.example.com", True),
            ("http://[::1]:5000", "[::1]:5000", "http://[::1]:5000", True),
            ("http://127.0.0.1:5000", "tunnel.example.com", "https://tunnel.example.com", True),
            ("https://portal.example.com", "portal.example.com", "http://portal.example.com", False),
            ("https://portal.example.com", "portal.example.com", "https://portal.example.com:444", False),
            ("https://portal.example.com", "127.0.0.1:5000", "https://evil.example", False),
            ("https://portal.example.com", "evil", "https://evil@portal.example.com", False),
            ("https://portal.example.com", "portal.example.com", "https://portal.example.com/", False),
            ("http://portal.example.com:80", "portal.example.com", "http://portal.example.com:443", False),
            ("http://127.0.0.1:5000", "[", "http://[", False),
        ],
    )
    def test_own_origins_are_distinguished_from_others(
        self, start: Start, base_url: str, host: str, origin: str, taken: bool
    ) -> None:
        site = start(BASE_URL=base_url)
        headers = {"Host": host, "Origin": origin}
        page = site.browser().send("/login", "POST", data={"email": EMAIL, "csrf_token": "stale"}, headers=headers)
        assert page.status == 400
        assert (EMAIL in page.text) is taken
