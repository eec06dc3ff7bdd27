"""Form input that programs can send and customers do not type."""

import io
import json
from typing import Any

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_headers
from tests.web.post import html_of, text_of

EMAIL = "ada@example.com"
ODD = [
    "\x00",
    "a\x00b",
    "\x01\x02\x1b[31m\x7f",
    "line\r\nBcc: evil@example.com",
    "\u2028\u2029\x85\x0b\x0c\x1c",
    "{{1234*9}}",
    "{% raw %}${1234*9}#{1234*9}<%= 1234*9 %>",
    "%s%d%n%(email)s%",
    "<xss a=1>",
    "\"'><xss a=1>",
    "</title></script><xss a=1>",
    "' OR '1'='1",
    "'; DROP TABLE contact; --",
    "%_%",
    "\\",
    "\u202eevil\u200b\ufeff",
    "😀" * 64,
    "e\u0301" * 100,
    "\ufb01 \u1e9e \u0131 \u0130 \u017f",
    "a" * 50_000,
    "a@" * 20_000,
    "+" + "4" * 10_000,
]
FIELDS = {
    "/login": ["email", "password", "remember", "next", "csrf_token", "unknown"],
    "/register": ["email", "password", "first_name", "last_name", "phone", "company_name", "newsletter", "ref"],
    "/password/reset": ["email"],
}
TYPED = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}


@pytest.fixture
def open_site(start: Start) -> Site:
    """A portal with limits that no test reaches."""
    limits = ("LOGIN_LIMIT_ACCOUNT", "LOGIN_LIMIT_NETWORK", "REGISTER_LIMIT_NETWORK", "MAIL_LIMIT_ADDRESS")
    return start(**dict.fromkeys((*limits, "MAIL_LIMIT_NETWORK"), "100000 per hour"))


def assert_tame(page: Page) -> None:
    """Check that the server has no error, and the page has no markup of the input."""
    assert page.status in (302, 303, 400, 422), page.words
    if page.status != 302:
        assert page.tree.all("xss") == []
        assert "11106" not in page.text


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields])
def test_no_field_value_causes_a_server_error_or_is_injected_into_the_page(
    open_site: Site, path: str, field: str
) -> None:
    browser = open_site.browser()
    form = browser.open(path).form()
    for odd in ODD:
        assert_tame(browser.post(form, {**TYPED, field: odd}))


@pytest.mark.parametrize("field", ["current_password", "password"])
def test_no_password_causes_a_server_error_when_it_is_changed(open_site: Site, field: str) -> None:
    browser = open_site.customer(EMAIL)
    for odd in ODD:
        typed = {"current_password": "wrong", "password": "new", field: odd}
        assert_tame(browser.fill("/account/password", typed, submit_to="/account/password"))
    assert open_site.browser().sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.parametrize("path", FIELDS)
@pytest.mark.parametrize("raw", [b"\xff\xfe", b"%ff%fe", b"%ed%a0%80", b"%ED%A0%BD%00", b"%c0%af", b"%", b"%zz", b"+"])
def test_invalid_utf_8_causes_no_server_error(open_site: Site, path: str, raw: bytes) -> None:
    browser = open_site.browser()
    token = browser.open(path).form().token.encode()
    for field in FIELDS[path]:
        body = b"csrf_token=" + token + b"&" + field.encode() + b"=" + raw + b"&" + raw + b"=" + raw
        assert_tame(browser.send(path, "POST", data=body, content_type="application/x-www-form-urlencoded"))
    assert browser.send(f"{path}?next=" + raw.decode("latin-1"), headers={"Cookie": "portal=\xff"}).status == 200


def test_odd_names_are_shown_as_typed_and_appear_in_no_email(open_site: Site) -> None:
    names = [odd for odd in ODD if odd.isprintable() and len(odd) <= 255 and "\u202e" not in odd]
    assert len(names) > 8
    for number, name in enumerate(names):
        email = f"a{number}@example.com"
        browser = open_site.customer(email, first_name=name, last_name=name, company_name=name)
        page = browser.open("/account")
        assert f"{name} {name}" in page.tree.one("h1").text
        assert page.tree.all("xss") == []
        for mail in open_site.mails(email):
            assert name not in mail["Subject"]
            assert name == "\\" or name not in text_of(mail) + html_of(mail)


@pytest.mark.parametrize("field", ["email", "password", "next", "remember"])
def test_a_file_in_place_of_a_text_is_refused_by_field(site: Site, field: str) -> None:
    browser = site.browser()
    form = browser.open("/login").form()
    data: dict[str, Any] = {**form.fields, "email": EMAIL, "password": PASSWORD, field: (io.BytesIO(b"x"), "x.txt")}
    page = browser.send("/login", "POST", data=data, content_type="multipart/form-data")

    assert page.status == 422
    assert not browser.is_signed_in


def test_json_in_place_of_a_form_is_refused(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()
    body = json.dumps({**form.fields, "email": EMAIL, "password": PASSWORD})

    assert browser.send("/login", "POST", data=body, content_type="application/json").status == 400
    with_token = {"X-CSRFToken": form.token}
    for kind in ("application/json", "text/plain", "application/xml", "nonsense", "multipart/form-data"):
        page = browser.send("/login", "POST", data=body, content_type=kind, headers=with_token)
        assert page.status == 400
    assert not browser.is_signed_in


@pytest.mark.parametrize("size", [257, 5_000, 60_000, 1_000_000])
def test_a_huge_password_is_refused_before_it_is_hashed(open_site: Site, hashes: list[bytes], size: int) -> None:
    customer = open_site.customer(EMAIL)
    open_site.browser().ask_for_reset(EMAIL)
    reset = open_site.link(EMAIL)
    hashes.clear()
    huge = "x" * size

    pages = [
        open_site.browser().sign_in(EMAIL, huge),
        open_site.browser().register("bob@example.com", huge),
        open_site.browser().fill(reset, {"password": huge}),
        customer.fill("/account/password", {"current_password": huge, "password": huge}, submit_to="/account/password"),
    ]
    assert {page.status for page in pages} <= ({413} if size > 65_536 else {413, 422})
    assert hashes == []


def test_the_longest_password_works(open_site: Site) -> None:
    longest = ("seven tall herons wade " * 12)[:256]
    open_site.customer(EMAIL, longest)

    assert open_site.browser().sign_in(EMAIL, longest).status == 302
    assert open_site.browser().sign_in(EMAIL, longest[:-1]).status == 422


def test_five_thousand_fields_cause_no_server_error(site: Site) -> None:
    browser = site.browser()
    form = browser.open("/login").form()
    many = {f"f{number}": "x" for number in range(5000)}

    assert browser.post(form, {**many, "email": EMAIL, "password": "x"}).status in (413, 422)
    part = '--x\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'
    for count in (101, 5000):
        body = (part * count + "--x--\r\n").encode()
        assert browser.send("/login", "POST", data=body, content_type="multipart/form-data; boundary=x").status == 413


@pytest.mark.parametrize("field", ["email", "password", "remember", "next", "csrf_token", "unknown"])
def test_a_field_sent_twice_is_refused(site: Site, field: str) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()
    typed = {**form.fields, "email": EMAIL, "password": PASSWORD, "remember": "y", "next": "/account", "unknown": "x"}
    page = browser.send("/login", "POST", data={**typed, field: [typed[field], typed[field]]})

    assert page.status == 422
    ((named, words),) = page.problems
    assert named == (field if field in ("email", "password", "remember") else "")
    assert "more than once" in words
    assert not browser.is_signed_in


def test_a_field_sent_twice_is_refused_on_every_form(site: Site) -> None:
    customer = site.customer(EMAIL)
    before = site.rows()
    stranger = site.browser()
    for browser, path, field in (
        (stranger, "/register", "first_name"),
        (stranger, "/password/reset", "email"),
        (customer, "/account/password", "password"),
    ):
        form = browser.open(path).form(path)
        page = browser.send(
            path, "POST", data={**TYPED, "current_password": PASSWORD, **form.fields, field: ["a", "b"]}
        )
        assert page.status == 422
        assert (field, True) in [(name, "more than once" in words) for name, words in page.problems]
    assert site.rows() == before


def test_fields_in_the_query_are_not_fields_of_the_form(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    token = browser.open("/login").form().token
    page = browser.send(f"/login?email={EMAIL}&password=x&csrf_token={token}", "POST", data={"csrf_token": token})

    assert page.status == 422
    assert {field for field, _ in page.problems} == {"email", "password"}


@pytest.mark.parametrize("cookie", ["x", "", "e30.x.y", ".eJw.x.y", "a" * 8000, "\xff\x00", '{"identity":"a"}', "=;=;"])
def test_an_odd_cookie_is_ignored(site: Site, cookie: str) -> None:
    page = site.browser().send("/account", headers={"Cookie": f"portal={cookie}"})

    assert page.location == "/login?next=/account"


@pytest.mark.parametrize(
    "name", ["User-Agent", "Accept-Language", "Referer", "Host", "Content-Length", "If-None-Match"]
)
@pytest.mark.parametrize(
    "value", ["", "\x80\xff", "a" * 5000, "%s{{1234*9}}<xss>", "[", "en;q=x,,;", "-1", "é\u0000"[:1]]
)
def test_an_odd_header_causes_no_server_error(site: Site, name: str, value: str) -> None:
    browser = site.browser()
    page = browser.send("/login", headers={name: value})
    assert page.status in (200, 400)
    assert_headers(page)
    form = browser.open("/login").form()
    answer = browser.send(
        "/login", "POST", data={**form.fields, "email": EMAIL, "password": "x"}, headers={name: value}
    )
    assert answer.status in (400, 413, 422)


@pytest.mark.parametrize("header", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        f"Mon, 01 Jan {'9' * 4000} 00:00:00 GMT",
        f"Mon, 01 Jan 2026 00:00:00 +{'9' * 30}",
        "Mon, 99 Xyz 0000 99:99:99 GMT",
    ],
    ids=["year", "long year", "zone", "no date"],
)
def test_an_invalid_if_modified_since_is_ignored(site: Site, header: str, date: str) -> None:
    page = site.browser().send("/static/portal.css", headers={header: date, "Range": "bytes=0-1"})
    assert page.status in (200, 206)
