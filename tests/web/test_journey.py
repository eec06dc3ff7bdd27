"""What a customer does, from the first visit to the second password."""

from urllib.parse import urlsplit

import pytest

from tests.web.conftest import PASSWORD, Site
from tests.web.html import read
from tests.web.post import code_in, link_in, text_of

EMAIL = "ada@example.com"
SECOND, THIRD = "nine grey otters swim", "four red foxes sleep"


@pytest.mark.differs_on_postgresql
def test_a_customer_can_do_everything_by_script(site: Site) -> None:
    browser = site.browser()

    sent = browser.follow(browser.register(EMAIL, PASSWORD))
    assert "Check your email" in sent.title
    assert EMAIL in sent.words
    link = site.link(EMAIL)
    for method in ("GET", "HEAD") * 5:
        assert browser.send(link, method).status == 200
    home = browser.follow(browser.fill(link))
    assert "Welcome" in home.words
    assert "Ada Quill" in home.words
    assert EMAIL in home.words
    assert _reference(browser.open("/account").text) in home.words

    refused = browser.fill("/account/password", {"current_password": "five wrong geese", "password": SECOND})
    assert (refused.status, refused.problems[0][0]) == (422, "current_password")
    refused = browser.fill("/account/password", {"current_password": PASSWORD, "password": PASSWORD})
    assert (refused.status, refused.problems[0][0]) == (422, "password")
    assert "used this password before" in refused.problems[0][1]
    changed = browser.fill("/account/password", {"current_password": PASSWORD, "password": SECOND})
    assert "changed" in browser.follow(changed).words
    assert browser.is_signed_in
    assert site.mails(EMAIL)[-1]["Subject"].endswith("was changed")

    assert "signed out" in browser.follow(browser.sign_out()).words
    assert not browser.is_signed_in
    asked = browser.send("/account/password")
    assert asked.location == "/login?next=/account/password"
    entered = browser.fill(asked.location, {"email": EMAIL, "password": SECOND, "remember": "y"})
    assert entered.location == "/account/password"
    browser.sign_out()

    told = browser.follow(browser.ask_for_reset(EMAIL))
    assert EMAIL in told.words
    link = site.link(EMAIL)
    refused = browser.fill(link, {"password": PASSWORD})
    assert (refused.status, refused.problems[0][0]) == (422, "password")
    done = browser.fill(link, {"password": THIRD})
    assert done.location == "/account"
    assert "new password is set" in browser.follow(done).words
    assert browser.is_signed_in
    assert site.browser().sign_in(EMAIL, SECOND).status == 422
    assert site.browser().sign_in(EMAIL, THIRD).status == 302

    *subjects, last = [mail["Subject"].split(" for ")[0] for mail in site.mails(EMAIL)]
    changed_twice = "Your password"
    assert subjects == ["Confirm your email address", changed_twice, "Set a new password", changed_twice]
    assert last == "New sign-in to your Customer portal account"


def _reference(html: str) -> str:
    (shown,) = read(html)[0].all("span", class_="reference")
    reference = shown.text
    assert len(reference) == 16
    assert reference.isalnum()
    return reference


def test_the_link_works_in_another_browser_with_the_password_chosen_at_registration(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    link = site.link(EMAIL)
    other = site.browser("198.51.100.4")

    for method in ("GET", "HEAD") * 5:
        assert other.send(link, method).status == 200
    assert "Enter your password and your account is ready" in other.open(link).words
    empty = other.fill(link)
    assert (empty.status, empty.problems[0][0]) == (422, "password")
    wrong = other.fill(link, {"password": SECOND})
    assert (wrong.status, wrong.problems[0][0]) == (422, "password")
    assert not other.is_signed_in
    assert other.fill(link, {"password": PASSWORD}).location == "/account"
    assert other.is_signed_in


def test_the_verification_email_is_sent_again_and_both_links_stay_valid(site: Site) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    first = site.link(EMAIL)
    again = browser.fill("/register/code", submit_to="/register/resend")
    assert "sent the email again" in browser.follow(again).words
    second = site.link(EMAIL)

    assert second != first
    assert browser.open(first).status == 200
    assert browser.fill(second).location == "/account"
    assert browser.open(first).status == 410


def test_asking_for_the_email_again_without_a_registration_leads_to_the_form(site: Site) -> None:
    page = site.browser().fill("/register/code", submit_to="/register/resend")

    assert page.location == "/register"
    assert site.mails() == []


def test_an_unverified_customer_with_the_right_password_may_resend_the_email(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    elsewhere = site.browser("198.51.100.4")

    told = elsewhere.sign_in(EMAIL, PASSWORD)
    assert told.status == 422
    assert "confirm your email address first" in told.words
    before = len(site.mails(EMAIL))
    assert elsewhere.post(told.form("/register/resend")).location == "/register/code"
    assert len(site.mails(EMAIL)) == before + 1


def test_an_unverified_customer_with_the_right_password_may_enter_the_code(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    elsewhere = site.browser("198.51.100.4")

    told = elsewhere.sign_in(EMAIL, PASSWORD)
    link = told.tree.one("a", href="/register/code").get("href")
    code = code_in(site.mails(EMAIL)[-1])
    assert elsewhere.fill(link, {"code": code}, submit_to=link).location == "/account"
    assert elsewhere.is_signed_in


def test_a_customer_who_confirms_elsewhere_can_have_the_password_reset(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    page = site.browser().open(site.link(EMAIL))
    (button,) = page.tree.one("main").all("button", formaction="/password/reset")
    assert (button.get("name"), button.get("value")) == ("email", EMAIL)


def test_a_reset_in_one_browser_signs_the_other_out(site: Site) -> None:
    home = site.customer(EMAIL)
    elsewhere = site.browser("198.51.100.4")
    elsewhere.ask_for_reset(EMAIL)
    assert home.is_signed_in
    page = elsewhere.fill(site.link(EMAIL), {"password": SECOND})

    assert page.status == 302
    assert not home.is_signed_in
    assert elsewhere.is_signed_in


def test_asking_for_resets_changes_nothing_until_a_link_is_used(site: Site) -> None:
    browser = site.customer(EMAIL)
    for _ in range(3):
        site.browser().ask_for_reset(EMAIL)

    assert browser.is_signed_in
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302
    links = [urlsplit(link_in(mail)).path for mail in site.mails(EMAIL)[1:4]]
    assert len(set(links)) == 3
    assert [site.browser().open(link).status for link in links] == [200, 200, 200]
    assert site.browser().fill(links[1], {"password": SECOND}).status == 302
    assert [site.browser().open(link).status for link in links] == [410, 410, 410]


def test_a_referral_in_the_url_is_passed_on_and_an_invalid_one_ignored(site: Site) -> None:
    friend = _reference(site.customer("friend@example.com").open("/account").text)

    for email, ref in ((EMAIL, friend), ("bob@example.com", "no such thing"), ("eve@example.com", "A" * 16)):
        browser = site.browser()
        shown = browser.open(f"/register?ref={ref}").form()
        names = {"email": email, "password": PASSWORD, "first_name": "A", "last_name": "B"}
        assert browser.post(shown, names).status == 302
        assert browser.fill(site.link(email)).status == 302
    referred = {row["email"]: row["referred_by_id"] for row in site.rows()["contact"]}
    assert [referred[email] for email in (EMAIL, "bob@example.com", "eve@example.com")] == [1, None, None]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"password": "2short!"}, "password"),
        ({"password": "password1"}, "password"),
        ({"password": "ada.quill"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"email": "ada at example.com"}, "email"),
        ({"email": ""}, "email"),
        ({"first_name": ""}, "first_name"),
        ({"last_name": "   "}, "last_name"),
        ({"last_name": "\u200b\u00a0\ufeff"}, "last_name"),
        ({"phone": "12"}, "phone"),
        ({"company_name": "x" * 256}, "company_name"),
    ],
)
def test_an_invalid_registration_is_refused_by_field(site: Site, fields: dict[str, str], field: str) -> None:
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill", **fields}
    page = site.browser().fill("/register", typed)

    assert page.status == 422
    assert [problem for problem, _ in page.problems] == [field]
    assert site.mails() == []


def test_pasted_values_are_cleaned(site: Site) -> None:
    pasted = {"first_name": "\ufeffAda\t", "last_name": "\u202dQuill\u00a0Ray\u202c", "company_name": "\u200b"}
    typed = {"email": f"\u202d{EMAIL}\u202c\u00a0", "phone": "\u202d+420 (0) 777 123 456\u202c", "password": PASSWORD}
    browser = site.browser()
    assert browser.fill("/register", {**typed, **pasted}).status == 302
    assert browser.fill(site.link(EMAIL)).status == 302
    (stored,) = site.rows()["contact"]
    assert (stored["email"], stored["phone"]) == (EMAIL, "+420 777123456")
    assert (stored["first_name"], stored["last_name"], stored["company_name"]) == ("Ada", "Quill Ray", None)


def test_a_password_is_compared_whole_with_spaces_and_case(site: Site) -> None:
    password = "a" * 40 + " žluťoučký kůň " + "B" * 30
    site.customer(EMAIL, password)

    others = (password.strip() + " ", password[:-1] + "C", password.swapcase(), password + " ", password + "\0x")
    assert [site.browser().sign_in(EMAIL, other).status for other in others] == [422] * 5
    assert site.browser().sign_in(EMAIL, password.replace("ž", "z\u030c")).status == 302


def test_the_email_to_an_existing_customer_says_so_and_offers_ways_to_sign_in(site: Site) -> None:
    site.customer(EMAIL)
    site.browser().register(EMAIL, SECOND)

    mail = site.mails(EMAIL)[-1]
    lines = text_of(mail).splitlines()
    assert mail["Subject"].startswith("You already have an account")
    assert site.settings.base_url + "/login" in lines
    assert site.settings.base_url + "/password/reset" in lines
    assert site.browser().sign_in(EMAIL, SECOND).status == 422
