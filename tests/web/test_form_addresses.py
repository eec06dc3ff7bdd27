"""An address that only takes forms, opened: it leads to where the customer meant to go."""

import pytest

from tests.web.conftest import Site

EMAIL = "ada@example.com"
SCRIPTS = ["/password/strength", "/handover"]
"""Addresses that the page's script sends to."""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_each_leads_on_for_whoever_is_not_signed_in(site: Site, method: str) -> None:
    browser = site.browser()
    led = {
        path: browser.send(path, method).location
        for path in ("/logout", "/continue", "/language", "/register/resend", *SCRIPTS)
    }

    assert led == {
        "/logout": "/login",
        "/continue": "/login",
        "/language": "/",
        "/register/resend": "/register/code",
        **dict.fromkeys(SCRIPTS, "/"),
    }


def test_each_leads_on_for_a_customer_who_is_signed_in(site: Site) -> None:
    browser = site.customer(EMAIL)

    assert browser.open("/register/resend").status == 200
    for path in ("/continue", "/language", *SCRIPTS):
        assert "Ada Quill" in browser.open(path).words, path


def test_signing_out_asks_with_one_button(site: Site) -> None:
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
