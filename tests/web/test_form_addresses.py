"""A GET of an address that only accepts forms is redirected."""

import pytest

from tests.web.conftest import Site

EMAIL = "ada@example.com"
SCRIPTS = ["/password/strength", "/handover", "/login/passkey/options", "/reauthenticate/passkey/options"]
"""Addresses that scripts of pages send to."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_get_of_a_form_address_redirects_a_signed_out_visitor(site: Site, method: str) -> None:
    browser = site.browser()
    led = {
        path: browser.send(path, method).location
        for path in ("/logout", "/continue", "/language", "/register/resend", "/login/passkey", *SCRIPTS)
    }

    assert led == {
        "/logout": "/login",
        "/continue": "/login",
        "/language": "/",
        "/register/resend": "/register/code",
        "/login/passkey": "/login",
        **dict.fromkeys(SCRIPTS, "/"),
    }


def test_a_get_of_a_form_address_redirects_a_signed_in_customer(site: Site) -> None:
    browser = site.customer(EMAIL)

    assert browser.open("/register/resend").status == 200
    for path in ("/continue", "/language", "/login/passkey", *SCRIPTS):
        assert "Ada Quill" in browser.open(path).words, path


def test_a_get_of_sign_out_shows_one_button(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = browser.open("/logout")

    assert (page.status, page.title.split(" · ")[0]) == (200, "Sign out")
    assert browser.is_signed_in
    assert browser.post(page.form()).location == "/login"
    assert not browser.is_signed_in


@pytest.mark.parametrize("path", ["/logout", "/continue", "/language", "/register/resend", "/login", *SCRIPTS])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_refused(site: Site, path: str, method: str) -> None:
    page = site.browser().send(path, method, headers={"Sec-Fetch-Site": "none"})

    assert page.status == 405
    assert "only takes what a form sends" not in page.words
