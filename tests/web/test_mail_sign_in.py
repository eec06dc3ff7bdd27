"""Sign-in by an emailed link or the code beside it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, in_parallel
from tests.web.expectations import assert_error_page
from tests.web.mail_sign_in import EMAIL, ask, code_for, type_code, wrong


def test_the_link_shows_whose_account_it_opens_and_only_its_button_signs_in(site: Site) -> None:
    site.customer(EMAIL)
    assert ask(site.browser()).location == "/login/code"
    elsewhere = site.browser()
    link = site.link(EMAIL)
    for method in ("GET", "HEAD") * 3:
        assert elsewhere.send(link, method).status == 200
    page = elsewhere.open(link)
    assert EMAIL in page.words
    assert not elsewhere.is_signed_in

    assert elsewhere.post(page.form()).location == "/account"
    assert elsewhere.is_signed_in
    assert_error_page(site.browser().open(link), 410)


@pytest.mark.parametrize(
    "shape", ["{0}{1}", " {0} {1} ", "{0}-{1}", "{0} - {1}", "\t{0}\u00a0{1}\u200b", "\u202d{0}{1}\u202c" + " " * 60]
)
def test_the_code_signs_in_the_browser_that_asked_with_any_spacing(site: Site, shape: str) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    ask(browser, next="/account/password")
    code = code_for(site)

    assert type_code(browser, shape.format(code[:3], code[3:])).location == "/account/password"
    assert browser.is_signed_in


def test_the_code_is_refused_in_another_browser(site: Site) -> None:
    site.customer(EMAIL)
    ask(site.browser())
    elsewhere = site.browser()
    ask(elsewhere, "grace@example.com")

    assert type_code(elsewhere, code_for(site)).status == 422
    assert not elsewhere.is_signed_in
    assert type_code(site.browser(), code_for(site)).status == 422


def test_a_used_link_opened_after_signing_out_is_explained(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    ask(browser)
    link = site.link(EMAIL)
    browser.fill(link)
    assert browser.open(link).notices == []

    browser.sign_out()
    assert browser.open(link).notices == [
        "This link, or the code beside it, was already used to sign in. Both work only once."
    ]


@pytest.mark.parametrize("ticked", [True, False])
def test_the_box_on_the_sign_in_page_is_kept_for_code_and_link(site: Site, ticked: bool) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    form = browser.open("/login").form("/login")
    browser.post(replace(form, action="/login/link"), {"email": EMAIL, **({"remember": "y"} if ticked else {})})

    for path in ("/login/code", site.link(EMAIL)):
        (box,) = browser.open(path).tree.all("input", name="remember")
        assert ("checked" in box.attributes) is ticked
    (box,) = site.browser().open(site.link(EMAIL)).tree.all("input", name="remember")
    assert "checked" not in box.attributes


def test_the_box_is_on_the_page_for_the_email_too_and_of_no_other_customer(site: Site) -> None:
    site.customer(EMAIL)
    site.customer("bob@example.com")
    browser = site.browser()
    refused = browser.fill("/login/link", {"email": "ada@", "remember": "y"})
    assert refused.form().fields["remember"] == "y"
    browser.post(refused.form(), {"email": EMAIL})
    site.browser().fill("/login/link", {"email": "bob@example.com"})
    assert "remember" not in browser.open(site.link("bob@example.com")).form().fields
    assert browser.open(site.link(EMAIL)).form().fields["remember"] == "y"


def test_a_link_says_who_will_be_signed_out(site: Site) -> None:
    site.customer("bob@example.com")
    site.browser().fill("/login/link", {"email": "bob@example.com"})
    link = site.link("bob@example.com")
    assert "will be signed out here" not in site.browser().open(link).words
    assert f"{EMAIL} will be signed out here." in site.customer(EMAIL).open(link).words


def test_where_no_email_comes_another_address_is_named_as_a_reason(site: Site) -> None:
    browser = site.browser()
    ask(browser)
    assert "Your account may have another address." in browser.open("/login/code").words
    assert "Did you delete your account?" in browser.open("/login/code").words
    browser.register(EMAIL, "seven tame herons wade")
    assert "Your account may have another address." not in browser.open("/register/code").words


@pytest.mark.differs_on_postgresql
def test_of_a_link_and_a_code_used_in_parallel_one_signs_in(site: Site) -> None:
    site.customer(EMAIL)
    asking, elsewhere = site.browser(), site.browser()
    ask(asking)
    code, link = code_for(site), site.link(EMAIL)
    by_code, by_link = asking.open("/login/code").form(), elsewhere.open(link).form()
    before = len(site.rows()["identity"])

    statuses = in_parallel(
        [lambda: asking.post(by_code, {"code": code}).status, lambda: elsewhere.post(by_link).status]
    )

    assert statuses.count(302) == 1
    assert len(site.rows()["identity"]) == before + 1
    assert [asking.is_signed_in, elsewhere.is_signed_in].count(True) == 1


def test_using_a_link_ends_all_other_emails_and_asking_again_ends_none(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    ask(browser)
    first, first_code = site.link(EMAIL), code_for(site)
    ask(site.browser())  # an attacker requests one for the same address
    ask(browser)
    last = site.link(EMAIL)

    assert site.browser().open(first).status == 200
    assert type_code(browser, first_code).status == 302
    for link in (first, last):
        assert_error_page(site.browser().open(link), 410)


def test_a_known_contact_without_an_account_signs_in_too(site: Site) -> None:
    site.guest(EMAIL)
    browser = site.browser()
    ask(browser)

    assert type_code(browser, code_for(site)).status == 302
    assert EMAIL in browser.open("/account").words


def test_signing_in_by_email_confirms_the_address_and_drops_pending_registrations(site: Site) -> None:
    attacker = site.browser()
    attacker.register(EMAIL, PASSWORD)
    waiting = site.link(EMAIL)
    owner = site.browser()
    ask(owner)

    assert type_code(owner, code_for(site)).status == 302
    assert_error_page(attacker.open(waiting), 410)
    assert attacker.sign_in(EMAIL, PASSWORD).status == 422


def test_an_unknown_or_banned_address_gets_no_email_and_the_same_answers(site: Site) -> None:
    site.customer(EMAIL)
    site.customer("eve@example.com")
    site.ban("eve@example.com")
    answers = []
    for email in (EMAIL, "eve@example.com", "bob@example.com"):
        browser = site.browser()
        asked = ask(browser, email)
        shown = browser.open("/login/code")
        tries = [type_code(browser, "000000") for _ in range(6)]
        answers.append(
            (
                asked.status,
                asked.location,
                shown.words.replace(email, "…"),
                [each.status for each in tries],
                [each.words.replace(email, "…") for each in tries],
            )
        )

    assert answers[0] == answers[1] == answers[2]
    assert [mail["Subject"] for mail in site.mails("bob@example.com")] == []
    assert not any("Sign in" in mail["Subject"] for mail in site.mails("eve@example.com"))


@pytest.mark.parametrize("kept", [True, False])
def test_every_way_to_sign_in_offers_remember_me(site: Site, kept: bool) -> None:
    fields = {"remember": "y"} if kept else {}
    registering = site.browser()
    registering.register(EMAIL, PASSWORD)
    ways: list[Callable[[], Page]] = [
        lambda: type_code(registering, code_for(site), "/register/code", **fields),
        lambda: (by_code := site.browser(), ask(by_code), type_code(by_code, code_for(site), **fields))[-1],
        lambda: (ask(site.browser()), site.browser().fill(site.link(EMAIL), fields))[-1],
    ]
    for way in ways:
        answer = way()
        assert answer.status == 302
        assert ("Expires=" in answer.cookies["portal"]) is kept
    assert [bool(row["kept"]) for row in site.rows()["identity"]] == [kept] * 3


def test_the_code_of_a_registration_confirms_it_in_the_same_browser(site: Site) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    code = code_for(site)
    assert type_code(site.browser(), code, "/register/code").status == 422
    assert type_code(browser, wrong(code), "/register/code").status == 422

    assert type_code(browser, code, "/register/code").location == "/account"
    assert browser.is_signed_in
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_codes_do_not_reveal_whether_an_address_has_an_account(site: Site) -> None:
    site.customer("old@example.com")
    told = []
    for email in ("old@example.com", "new@example.com"):
        browser = site.browser()
        browser.register(email, PASSWORD)
        tries = [type_code(browser, "000000", "/register/code") for _ in range(6)]
        told.append([(page.status, page.words.replace(email, "…")) for page in tries])
    assert told[0] == told[1]


def test_malformed_codes_are_refused_with_a_message(site: Site) -> None:
    browser = site.browser()
    ask(browser)
    for code in (
        "",
        " ",
        "12345",
        "1234567",
        "\N{FULLWIDTH DIGIT ONE}" * 6,
        "\N{ARABIC-INDIC DIGIT THREE}" * 6,
        "a" * 10_000,
        "\x00",
        "12\n3456",
        "<b>",
    ):
        page = type_code(browser, code)
        assert page.status == 422
        assert page.problems[0][0] == "code"


def test_after_ten_wrong_passwords_the_emailed_link_still_works(site: Site) -> None:
    site.customer(EMAIL)
    browser = site.browser()
    for _ in range(10):
        browser.sign_in(EMAIL, "wrong")
    refused = browser.sign_in(EMAIL, PASSWORD)
    assert refused.status == 429
    assert "/login/link" in refused.text

    ask(browser)
    assert type_code(browser, code_for(site)).status == 302
