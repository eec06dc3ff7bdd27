"""The length of a text is checked before any work on it: normalisation takes quadratic time for combining marks."""

import pytest

from portal.domain.passwords.policy import MAX_LENGTH, MAX_RAW_LENGTH
from portal.storage.models import STRING_LENGTH
from tests.domain.instrumentation import normalised_lengths
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"
MARKS = "\u0316\u0301" * 5_000
"""As many as fit into a form: each takes six bytes."""
SHAPES = ["{}", "a@{}.cz", "https://{}.cz/", "+{}"]
TYPED = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill", "next": "/account"}
FIELDS = {
    "/login": ["email", "password", "remember", "next", "csrf_token", "return_url", "nonce", "unknown"],
    "/register": ["email", "password", "first_name", "last_name", "phone", "company_name", "newsletter", "ref"],
    "/login/link": ["email", "next"],
    "/login/code": ["code", "remember"],
    "/register/code": ["code", "remember"],
    "/password/reset": ["email"],
    "/password/strength": ["password", "email", "first_name", "last_name"],
    "/language": ["locale", "next"],
}
FIELDS_OF_ACCOUNT = {
    "/account/profile": ["first_name", "phone", "country", "locale"],
    "/account/email": ["email"],
    "/account/email/code": ["code"],
    "/account/two-step": ["code"],
    "/reauthenticate": ["password", "next"],
    "/reauthenticate/code": ["code"],
    "/login/passkey": ["credential", "challenge", "email"],
}


@pytest.mark.parametrize("path", FIELDS)
def test_the_length_of_a_form_field_is_checked_before_normalisation(
    site: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.browser()
    lengths = normalised_lengths(monkeypatch)
    fill_in(browser, browser.open("/login").form().token, path, FIELDS[path])
    assert max(lengths, default=0) <= STRING_LENGTH


@pytest.mark.on_sqlite  # no text is sent to the database
def test_the_length_of_a_form_field_of_the_account_is_checked_before_normalisation(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.customer(EMAIL)
    token = browser.open("/account").form("/logout").token
    lengths = normalised_lengths(monkeypatch)
    for path, fields in FIELDS_OF_ACCOUNT.items():
        fill_in(browser, token, path, fields)
    assert max(lengths, default=0) <= STRING_LENGTH


def fill_in(browser: Browser, token: str, path: str, fields: list[str]) -> None:
    """Send a form with each of its fields too long."""
    for field in fields:
        for shape in SHAPES:
            page = browser.send(path, "POST", data={"csrf_token": token, **TYPED, field: shape.format(MARKS)})
            assert page.status in (200, 302, 400, 422, 429), (path, field)


@pytest.mark.parametrize("field", ["current_password", "password"])
@pytest.mark.parametrize("length", [MAX_LENGTH + 1, MAX_RAW_LENGTH, MAX_RAW_LENGTH + 1, 10_000])
def test_a_password_of_combining_marks_is_refused_by_its_field(
    site: Site, hashes: list[bytes], field: str, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.customer(EMAIL)
    hashes.clear()
    lengths = normalised_lengths(monkeypatch)
    typed = {"current_password": PASSWORD, "password": "nine grey otters swim", field: MARKS[:length]}

    page = browser.fill("/account/password", typed, submit_to="/account/password")

    assert page.status == 422
    assert [name for name, words in page.problems if "at most 256 characters" in words] == [field]
    assert hashes == []
    assert max(lengths) <= MAX_RAW_LENGTH


def test_the_length_of_a_query_parameter_is_checked_before_normalisation(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = normalised_lengths(monkeypatch)
    for name in ("next", "return_url", "state", "nonce", "locale", "theme", "ref"):
        for shape in SHAPES:
            query = {"return_url": "https://shop.example", name: shape.format(MARKS)}
            assert site.browser().send("/login", query_string=query).status == 200
    assert max(lengths, default=0) <= STRING_LENGTH


@pytest.mark.parametrize(
    "path", ["/register/verify/{}", "/password/reset/{}", "/login/link/{}", "/not-me/{}", "/{}", "/static/{}"]
)
def test_the_length_of_a_path_is_checked_before_normalisation(
    site: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = normalised_lengths(monkeypatch)
    assert site.browser().send(path.format(MARKS)).status == 404
    assert max(lengths, default=0) <= STRING_LENGTH


@pytest.mark.parametrize("name", ["User-Agent", "Accept-Language", "Referer", "Cookie", "X-Forwarded-For", "Origin"])
def test_no_header_is_normalised(site: Site, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = normalised_lengths(monkeypatch)
    value = MARKS[:2000].encode().decode("latin-1")
    assert site.browser().send("/login", headers={name: value}).status in (200, 400)
    assert max(lengths, default=0) <= STRING_LENGTH
