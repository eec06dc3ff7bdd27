"""Pages know whether the visitor is signed in, has just confirmed, or was signed out elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.web.authenticator import set_up
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_error_page
from tests.web.post import code_in, text_of

EMAIL = "ada@example.com"
SECOND, THIRD = "nine grey otters swim", "four red foxes sleep"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRED = "Your session on this page expired. Please send the form again."


def code_for(site: Site) -> str:
    return code_in(site.mails(EMAIL)[-1])


class TestSignedIn:
    """A signed-in customer is redirected to where they wanted to go."""

    @pytest.mark.parametrize(
        ("path", "location"),
        [
            ("/login", "/account"),
            ("/login?next=/account/password", "/account/password"),
            ("/register", "/account"),
            ("/register?ref=Abcdefgh12345678", "/account"),
            ("/login/link", "/account"),
            ("/login/link?next=/account/password", "/account/password"),
            ("/login/link?next=//evil.example", "/account"),
            ("/login/code", "/account"),
            ("/register/code", "/account"),
            ("/password/reset", "/account/password"),
            ("/login/confirm", "/login/link"),
            ("/register/confirm", "/register/code"),
            ("/password/new", "/account"),
            ("/not-me", "/password/reset"),
        ],
    )
    def test_a_page_for_signed_out_visitors_redirects_a_signed_in_customer(
        self, site: Site, path: str, location: str
    ) -> None:
        assert site.customer(EMAIL).send(path).location == location

    def test_a_code_typed_after_the_link_was_used_in_another_tab_leads_to_where_the_customer_wanted_to_go(
        self, site: Site
    ) -> None:
        site.customer(EMAIL)
        browser = site.browser()
        asked = browser.fill("/login/link?next=/account/password", {"email": EMAIL})
        code_form = browser.follow(asked).form("/login/code")
        link, code = site.link(EMAIL), code_for(site)
        assert browser.fill(link).location == "/account/password"

        assert browser.post(code_form, {"code": code}).location == "/account/password"
        assert browser.send("/login/code").location == "/account/password"

    def test_a_form_of_another_tab_redirects_and_does_nothing(self, site: Site) -> None:
        site.customer(EMAIL)
        tab = site.browser()
        forms = {
            "/login?next=/account/password": "/account/password",
            "/login/link": "/account",
            "/register": "/account",
            "/password/reset": "/account/password",
        }
        opened = {path: tab.open(path).form() for path in forms}
        tab.sign_in(EMAIL, PASSWORD)
        site.deliver()
        before = (site.rows(), len(site.mails()))
        typed = {"email": "eve@example.com", "password": SECOND, "first_name": "Eve", "last_name": "Quill"}

        for path, location in forms.items():
            assert tab.post(opened[path], typed).location == location
        assert (site.rows(), len(site.mails())) == before

    def test_a_form_without_its_csrf_token_or_from_another_site_is_still_refused(self, site: Site) -> None:
        site.customer(EMAIL)
        tab = site.browser()
        form = tab.open("/login").form()
        tab.sign_in(EMAIL, PASSWORD)

        assert tab.post(form, {"csrf_token": None}).status == 400
        assert tab.post(form, headers={"Sec-Fetch-Site": "cross-site"}).status == 400

    def test_signing_out_in_a_second_tab_leads_to_the_page_for_it(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        form = browser.open("/account").form("/logout")
        assert browser.post(form).location == "/login"
        assert browser.post(form).location == "/login"


class TestStaleForms:
    """A form whose token is invalid says why."""

    def test_a_form_of_an_ended_session_says_that_it_expired(self, site: Site) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            browser = site.browser()
            form = browser.open("/login").form()
            clock.shift(timedelta(hours=1))
            page = site.browser().post(form, {"email": EMAIL})  # the browser was closed: no cookie is sent
        assert (page.status, page.problems) == (400, [("", EXPIRED)])
        assert page.form().fields["email"] == EMAIL

    def test_a_browser_without_cookies_sees_the_reason(self, site: Site) -> None:
        ((_, words),) = site.browser().post(site.browser().open("/login").form(), {"email": EMAIL}).problems
        assert words.startswith("Your browser didn't send our cookie.")

    def test_an_incomplete_form_shows_the_reason(self, site: Site) -> None:
        ((_, words),) = site.browser().fill("/login", {"csrf_token": None}).problems
        assert words == "The form didn't arrive completely. Please send it again."


class TestConfirming:
    def test_the_browser_that_registered_learns_that_the_address_was_confirmed_elsewhere(self, site: Site) -> None:
        registering, elsewhere = site.browser(), site.browser("198.51.100.4")
        form = registering.follow(registering.register(EMAIL, PASSWORD)).form("/register/code")
        resend = registering.open("/register/code").form("/register/resend")
        code = code_for(site)
        assert elsewhere.fill(site.link(EMAIL), {"password": PASSWORD}).location == "/account"
        mails = len(site.mails())

        for act in (
            lambda: registering.post(form, {"code": code}),
            lambda: registering.post(form, {"code": "000000"}),
            lambda: registering.post(resend),
            lambda: registering.send("/register/code"),
        ):
            answer = act()
            assert answer.location == "/login"
            page = registering.follow(answer)
            assert page.notices == ["Your email address is confirmed. Sign in with the password you chose."]
        assert len(site.mails()) == mails
        assert registering.sign_in(EMAIL, PASSWORD).status == 302

    def test_a_used_link_opened_by_the_same_browser_redirects(self, site: Site) -> None:
        browser = site.browser()
        browser.register(EMAIL, PASSWORD)
        link = site.link(EMAIL)
        form = browser.open(link).form()
        assert browser.post(form).location == "/account"

        for page in (browser.open(link), browser.follow(browser.post(form)), browser.open("/account")):
            assert page.status == 200
        assert browser.open(link).notices == ["Your email address is already confirmed."]
        browser.sign_out()
        assert browser.send(link).location == "/account"
        assert "already confirmed" in browser.open(link).words

    def test_a_used_link_is_refused_in_another_browser(self, site: Site) -> None:
        registering = site.browser()
        registering.register(EMAIL, PASSWORD)
        link = site.link(EMAIL)
        registering.fill(link)
        signed_in = site.browser()
        signed_in.sign_in(EMAIL, PASSWORD)

        for browser, ways in ((site.browser(), ["/login", "/password/reset"]), (signed_in, ["/account"])):
            page = browser.open(link)
            assert_error_page(page, 410)
            assert page.tree.one("h1").text == "Your email address is already confirmed"
            assert [way.get("href") for way in page.tree.one("main").all("a")] == ways

    def test_a_used_link_does_not_redirect_another_customer(self, site: Site) -> None:
        site.customer("eve@example.com")
        browser = site.browser()
        browser.register(EMAIL, PASSWORD)
        link = site.link(EMAIL)
        browser.fill(link)
        browser.sign_out()
        browser.sign_in("eve@example.com", PASSWORD)

        assert_error_page(browser.open(link), 410)

    def test_the_code_page_redirects_after_confirmation(self, site: Site) -> None:
        browser = site.browser()
        browser.register(EMAIL, PASSWORD)
        form = browser.open("/register/code").form("/register/code")
        browser.fill(site.link(EMAIL))

        assert browser.send("/register/code").location == "/account"
        assert browser.post(form, {"code": code_for(site)}).location == "/account"

    def test_registrations_by_attackers_reveal_nothing_about_the_owner(self, site: Site) -> None:
        stranger = site.browser("198.51.100.66")
        stranger.register(EMAIL, SECOND)
        before = stranger.open("/register/code").words
        site.customer(EMAIL)

        page = stranger.open("/register/code")
        assert (page.status, page.words) == (200, before)
        assert stranger.fill("/register/code", {"code": "000000"}, submit_to="/register/code").status == 422


class TestResending:
    @pytest.mark.parametrize("has_password", [True, False])
    def test_resending_a_dropped_registration_sends_a_fitting_email(self, site: Site, has_password: bool) -> None:
        registering, owner = site.browser(), site.browser("198.51.100.4")
        registering.register(EMAIL, PASSWORD)
        form = registering.open("/register/code").form("/register/resend")
        if has_password:
            owner.ask_for_reset(EMAIL)
            owner.fill(site.link(EMAIL), {"password": SECOND})
        else:
            owner.fill("/login/link", {"email": EMAIL})
            owner.fill(site.link(EMAIL))
        mails = len(site.mails(EMAIL))
        page = registering.follow(registering.post(form))

        assert "sent the email again" in page.words
        (mail,) = site.mails(EMAIL)[mails:]
        lines = text_of(mail).splitlines()
        assert mail["Subject"].startswith("You already have an account")
        assert {site.settings.base_url + "/login", site.settings.base_url + "/password/reset"} <= set(lines)

    def test_a_banned_customer_gets_no_email(self, site: Site) -> None:
        browser = site.browser()
        browser.register(EMAIL, PASSWORD)
        site.ban(EMAIL)
        mails = len(site.mails(EMAIL))
        assert (
            "sent the email again" in browser.follow(browser.fill("/register/code", submit_to="/register/resend")).words
        )
        assert len(site.mails(EMAIL)) == mails


class TestSignedOutElsewhere:
    def reset(self, site: Site) -> None:
        site.browser().ask_for_reset(EMAIL)
        assert site.browser().fill(site.link(EMAIL), {"password": SECOND}).status == 302

    def test_a_password_change_elsewhere_is_shown_once(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        self.reset(site)

        page = browser.open("/account")
        assert page.title.startswith("Sign in")
        assert page.notices == ["You were signed out because your password was changed. Please sign in again."]
        assert page.tree.one("p", role="status").get("class") == "notice reason"
        assert browser.open("/account").notices == browser.open("/login").notices == []

    @pytest.mark.parametrize("path", ["/login", "/register", "/password/reset/none"])
    def test_the_reason_for_the_sign_out_is_shown_on_the_first_page(self, site: Site, path: str) -> None:
        browser = site.customer(EMAIL)
        self.reset(site)
        assert "because your password was changed" in browser.open(path).notices[0]

    def test_a_ban_is_shown_in_general_words(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        site.ban(EMAIL)
        told = "You were signed out, for example from another device. Please sign in again."
        assert browser.open("/account").notices == [told]

    def test_a_deletion_whose_answer_was_lost_is_shown(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        before = browser.cookie() or ""
        assert browser.fill("/account/delete", {"confirm": "y"}, submit_to="/account/delete").location == "/login"
        browser.set_cookie(before)
        told = "Your account is closed. We've emailed you a link, in case you want to keep it after all."
        assert browser.open("/account").notices == [told]

    def test_a_set_up_whose_answer_was_lost_blames_no_other_device(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        browser.open("/account/two-step")
        before = browser.cookie() or ""
        set_up(site, browser)
        browser.set_cookie(before)
        told = "You're no longer signed in on this device. Please sign in again."
        assert browser.open("/account").notices == [told]

    def test_an_expired_session_is_shown_as_expired(self, site: Site) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            browser = site.customer(EMAIL)
            clock.shift(timedelta(hours=2))
            assert browser.open("/account").notices == ["Your session has expired. Please sign in again."]

    def test_signing_out_shows_no_reason(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        assert browser.follow(browser.sign_out()).notices == ["You're signed out."]
        assert browser.open("/login").notices == []

    def test_a_form_sent_after_the_sign_out_leads_to_signing_in_with_the_reason(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        form = browser.open("/account/password").form("/account/password")
        self.reset(site)
        answer = browser.post(form, {"current_password": PASSWORD, "password": THIRD})
        assert answer.location == "/login?next=/account/password"
        (notice,) = browser.follow(answer).notices
        assert notice == (
            "You were signed out because your password was changed. Please sign in again. Once you're signed in, "
            "please check whether your last step was saved."
        )

    def test_a_form_sent_after_signing_out_in_another_tab_says_that_it_may_not_be_saved(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        form = browser.open("/account/profile").form("/account/profile")
        browser.follow(browser.sign_out())
        answer = browser.post(form, {"city": "Brno"})
        assert answer.location == "/login?next=/account/profile"
        page = browser.follow(answer)
        assert [notice.text for notice in page.tree.all("p", class_="notice reason")] == [
            "Once you're signed in, please check whether your last step was saved."
        ]
