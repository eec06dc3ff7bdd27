"""Cookies, forms and links after a change of SECRET_KEY."""

from tests.web.conftest import PASSWORD, Start

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"


class TestKeyRotation:
    OLD, NEW = "Jk2pQw9zXv4tLm7rNs1yBd6gHf3c", "Zu8aRe5iTo0pSd4fGh7jKl2xCv9b"

    def test_cookies_forms_and_links_stay_valid_with_the_old_key_as_a_fallback(self, start: Start) -> None:
        before, after = start(SECRET_KEY=self.OLD), start(SECRET_KEY=self.NEW, SECRET_KEY_FALLBACKS=self.OLD)
        signed_in = before.customer(EMAIL)
        signed_in.ask_for_reset(EMAIL)
        link = before.link(EMAIL)
        form = signed_in.open("/account/password").form()
        moved = after.browser()
        moved.set_cookie(signed_in.cookie() or "")

        assert moved.is_signed_in
        assert after.browser().open(link).status == 200
        assert moved.post(form, {"current_password": PASSWORD, "password": SECOND}).status == 302
        assert moved.is_signed_in

    def test_without_the_old_key_its_cookies_forms_and_links_are_refused(self, start: Start) -> None:
        before, after = start(SECRET_KEY=self.OLD), start(SECRET_KEY=self.NEW)
        signed_in = before.customer(EMAIL)
        signed_in.ask_for_reset(EMAIL)
        visitor = before.browser()
        form = visitor.open("/login").form()
        moved, entering = after.browser(), after.browser()
        moved.set_cookie(signed_in.cookie() or "")
        entering.set_cookie(visitor.cookie() or "")

        assert not moved.is_signed_in
        assert moved.open(before.link(EMAIL)).status == 404
        again = entering.post(form, {"email": EMAIL, "password": PASSWORD})
        assert again.status == 400
        assert again.form().fields["email"] == EMAIL
        assert entering.post(again.form(), {"password": PASSWORD}).status == 302

    def test_an_email_queued_before_the_key_change_has_a_link_signed_with_the_new_key(self, start: Start) -> None:
        before, after = start(SECRET_KEY=self.OLD), start(SECRET_KEY=self.NEW)
        browser = before.browser()
        browser.register(EMAIL, PASSWORD)
        link = after.link(EMAIL)

        assert before.browser().open(link).status == 404
        assert after.browser().fill(link, {"password": PASSWORD}).status == 302
