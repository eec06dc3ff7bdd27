"""Forms without a valid CSRF token, and methods other than POST."""

from collections.abc import Callable

import pytest

from tests.web.conftest import PASSWORD, Site
from tests.web.filled_forms import EMAIL, FILLED_FORMS, SECOND, FilledForm

pytestmark = pytest.mark.on_sqlite  # not about the database


@pytest.mark.parametrize("fill_in", FILLED_FORMS, ids=lambda fill_in: fill_in.__name__)
def test_a_form_without_its_csrf_token_changes_nothing_and_is_shown_again_as_typed(
    site: Site, fill_in: Callable[[Site], FilledForm]
) -> None:
    browser, form, typed = fill_in(site)
    foreign = site.browser().open("/login").form().token
    before = (len(site.mails()), site.rows())

    for token in (None, "", foreign, form.token[:-1], form.token + "x", "é\0"):
        page = browser.post(form, {**typed, "csrf_token": token})
        assert page.status == 400
        assert page.title.startswith("Error: ")
        shown = page.form(form.action)
        secrets = {"password", "current_password"}
        assert {**shown.fields, "csrf_token": ""} == {
            name: "" if name in secrets else value for name, value in {**form.fields, **typed, "csrf_token": ""}.items()
        }
        assert (len(site.mails()), site.rows()) == before

    again = browser.post(form, {**typed, "csrf_token": None}).form(form.action)
    assert browser.post(again, typed).status == 302


def test_signing_out_needs_the_csrf_token(site: Site) -> None:
    browser = site.customer(EMAIL)
    form = browser.open("/account").form("/logout")

    refused = [browser.post(form, {"csrf_token": token}) for token in (None, "", "x" * 90)]
    assert [answer.status for answer in refused] == [400] * 3
    assert browser.is_signed_in
    assert browser.post(refused[0].form()).status == 302
    assert not browser.is_signed_in


def test_a_csrf_token_from_before_the_sign_in_is_refused_after_it(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    old = browser.open("/login").form()
    browser.sign_in(EMAIL, PASSWORD)
    form = browser.open("/account/password").form()

    typed = {"current_password": PASSWORD, "password": SECOND, "csrf_token": old.token}
    assert browser.post(form, typed).status == 400
    assert browser.post(browser.open("/account").form("/logout"), {"csrf_token": old.token}).status == 400
    assert browser.is_signed_in
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_a_csrf_token_may_be_reused_while_its_cookie_lasts(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form()

    assert browser.post(form, {"email": EMAIL, "password": "wrong"}).status == 422
    assert browser.post(form, {"email": EMAIL, "password": PASSWORD}).status == 302


def test_no_other_method_changes_state(site: Site) -> None:
    browser = site.customer(EMAIL)
    before = site.rows()

    for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        for path in ("/login", "/account", "/logout", "/account/password", "/register/verify/x"):
            page = browser.send(path, method, data={"csrf_token": "x", "_method": "POST"})
            assert page.status in (400, 405), (method, path)
    hidden = {"X-HTTP-Method-Override": "POST"}
    assert browser.send("/logout?_method=POST", headers=hidden).status == 200
    assert site.rows() == before
    assert browser.is_signed_in
