"""The security page, reauthentication, and the first password."""

from datetime import timedelta

import pytest
from flask.typing import ResponseReturnValue
from sqlalchemy import update
from wtforms import StringField

from portal.app import current_context
from portal.domain.recent_authentication import RECENT, require_recent_authentication
from portal.storage.models import Identity
from portal.web import session
from portal.web.fields import SecretField
from portal.web.form_page import PageState, StatelessFormPage
from portal.web.portal_form import PortalForm, Problem
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.post import code_in

EMAIL = "ada@example.com"
PATH, NEXT = "/reauthenticate", "/account/password"


class _NameForm(PortalForm):
    nickname = StringField("Nickname")
    secret = SecretField("Secret")


class _NamePage(StatelessFormPage[_NameForm]):
    """A sensitive change, which requires recent authentication."""

    form_class = _NameForm
    template = "mailbox/index.html"

    def submit(self, form: _NameForm, state: PageState) -> ResponseReturnValue:  # noqa: ARG002 - the base class has it
        require_recent_authentication(current_context(), session.signed_in_customer())
        return f"{form.nickname.data} {form.secret.text}"

    def _page(self, form: _NameForm, state: PageState, problems: list[Problem]) -> str:  # noqa: ARG002 - likewise
        return repr({field.name: field.data for field in form})


def forget_proofs(site: Site) -> None:
    """Make the last authentication of all sessions ten minutes old."""
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=site.context.clock() - RECENT))


def by_email(site: Site) -> Browser:
    """Sign in a customer without a password."""
    site.guest(EMAIL)
    browser = site.browser()
    browser.follow(browser.fill("/login/link", {"email": EMAIL}))
    code = code_in(site.mails(EMAIL)[-1])
    assert browser.fill("/login/code", {"code": code}, submit_to="/login/code").status == 302
    return browser


def test_it_says_since_when_there_is_a_password(site: Site) -> None:
    page = site.customer(EMAIL).open("/account/security")
    assert "Set on " in page.words
    assert f"\N{NO-BREAK SPACE}{site.context.clock().year}" in page.text  # no line breaks within the date
    assert [a.text for a in page.tree.one("main").all("a", href=NEXT)] == ["Change password"]


def test_who_has_no_password_sets_one(site: Site) -> None:
    browser = by_email(site)
    assert "You don't have a password. You sign in by email." in browser.open("/account/security").words
    page = browser.fill(NEXT, {"password": "short"}, submit_to=NEXT)
    assert page.status == 422
    assert page.form(NEXT).fields.keys() == {"csrf_token", "password"}
    answer = browser.fill(NEXT, {"password": PASSWORD}, submit_to=NEXT)
    assert "Your password is set." in browser.follow(answer).words
    assert site.browser().sign_in(EMAIL, PASSWORD).location == "/account"


def test_after_ten_minutes_a_customer_must_reauthenticate(site: Site) -> None:
    browser = by_email(site)
    opened = browser.open(NEXT).form(NEXT)
    forget_proofs(site)
    for answer in (browser.send(NEXT), browser.post(opened, {"password": PASSWORD})):
        assert answer.location == f"{PATH}?next=/account/password"
    page = browser.open(NEXT)
    assert page.form(f"{PATH}/email").fields["next"] == NEXT
    assert [form.action for form in page.forms if form.action == PATH] == []
    asked = browser.follow(browser.post(page.form(f"{PATH}/email")))
    assert EMAIL in asked.words
    before = browser.cookie()
    code = code_in(site.mails(EMAIL)[-1])
    wrong = browser.post(asked.form(f"{PATH}/code"), {"code": "000000" if code != "000000" else "111111"})
    assert wrong.status == 422
    assert wrong.problems == [("code", "This code isn't right. Check it, or ask for a new one.")]
    answer = browser.post(wrong.form(f"{PATH}/code"), {"code": f"{code[:3]} {code[3:]}"})
    assert answer.location == NEXT
    assert browser.follow(answer).form(NEXT).token
    stolen = site.browser()
    stolen.set_cookie(before or "")
    assert not stolen.is_signed_in


def test_the_password_is_a_proof(site: Site) -> None:
    browser = site.customer(EMAIL)
    wrong = browser.fill(f"{PATH}?next=/account/profile", {"password": "six wrong geese honk"}, submit_to=PATH)
    assert (wrong.status, wrong.problems[0][0]) == (422, "password")
    answer = browser.post(wrong.form(PATH), {"password": PASSWORD})
    assert answer.location == "/account/profile"
    assert browser.is_signed_in


@pytest.mark.parametrize("after", ["https://evil.example", "//evil.example", ""])
def test_it_leads_nowhere_else(site: Site, after: str) -> None:
    answer = site.customer(EMAIL).fill(f"{PATH}?next={after}", {"password": PASSWORD}, submit_to=PATH)
    assert answer.location == "/account/security"


def test_a_stale_form_asks_again_and_sends_nothing(site: Site) -> None:
    browser = site.customer(EMAIL)
    count = len(site.mails(EMAIL))
    page = browser.post(browser.open(PATH).form(f"{PATH}/email"), {"csrf_token": "x"})
    assert page.status == 400
    assert len(site.mails(EMAIL)) == count


def test_the_form_that_was_sent_is_kept_but_for_passwords(site: Site) -> None:
    site.app.add_url_rule("/name", view_func=_NamePage.as_view("name"))
    browser = site.customer(EMAIL)
    token = browser.open(PATH).form(PATH).token
    typed = {"csrf_token": token, "nickname": "Countess", "secret": "hush"}
    assert browser.send("/name", "POST", data=typed).text == "Countess hush"
    forget_proofs(site)
    assert browser.send("/name", "POST", data=typed).location == f"{PATH}?next=/name"
    answer = browser.fill(f"{PATH}?next=/name", {"password": PASSWORD}, submit_to=PATH)
    assert answer.location == "/name"
    assert browser.send("/name").text == repr({"nickname": "Countess", "secret": None})
    assert "Countess" not in browser.send("/name").text
    forget_proofs(site)
    browser.send("/name", "POST", data={**typed, "nickname": "x" * 2000})
    assert "x" not in browser.send("/name").text


def test_others_sessions_prove_nothing_here(site: Site) -> None:
    browser = by_email(site)
    forget_proofs(site)
    other = site.browser()
    other.follow(other.fill("/login/link", {"email": EMAIL}))
    other.fill("/login/code", {"code": code_in(site.mails(EMAIL)[-1])}, submit_to="/login/code")
    assert other.send(NEXT).status == 200
    assert browser.send(NEXT).status == 302


@pytest.mark.parametrize("path", ["/account/security", PATH, f"{PATH}/code"])
def test_it_is_for_customers_who_are_signed_in(site: Site, path: str) -> None:
    assert site.browser().send(path).location == f"/login?next={path}"


def test_the_address_of_the_button_for_a_code_leads_to_it(site: Site) -> None:
    assert site.customer(EMAIL).send(f"{PATH}/email?next={NEXT}").location == f"{PATH}?next={NEXT}"


def test_the_page_for_a_code_leads_back_when_none_was_requested(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert browser.send(f"{PATH}/code?next={NEXT}").location == f"{PATH}?next={NEXT}"
    asked = browser.follow(browser.post(browser.open(f"{PATH}?next={NEXT}").form(f"{PATH}/email")))
    assert EMAIL in asked.words
    browser.post(asked.form(f"{PATH}/code"), {"code": code_in(site.mails(EMAIL)[-1])})
    assert browser.send(f"{PATH}/code").location == PATH


def test_after_a_request_for_a_reset_link_a_customer_is_led_back_to_the_account(site: Site) -> None:
    browser = site.customer(EMAIL)
    form = browser.open(NEXT).form(NEXT)
    page = browser.follow(browser.send("/password/reset", "POST", data={"csrf_token": form.token, "email": EMAIL}))
    main = page.tree.one("main")
    assert [a.text for a in main.all("a", href="/account")] == ["Back to your account"]
    assert main.all("a", href="/login") == []


def test_ten_minutes_are_ten() -> None:
    assert timedelta(minutes=10) == RECENT
