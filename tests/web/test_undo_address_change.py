"""The owner of an account undoes a change of its email address."""

from tests.web.address_change import EMAIL, EVE, NEW, OTHER_PASSWORD, REAUTHENTICATE, address_on, ask, change, notices
from tests.web.conftest import Site
from tests.web.expectations import assert_error_page, assert_page


class TestAnUndo:
    def test_leads_on_to_a_new_password(self, site: Site) -> None:
        browser, owner = site.customer(EMAIL), site.browser()
        undo = change(site, browser)
        mail = site.mails(EMAIL)[-1]
        assert mail["Subject"].startswith("The email address of your ")
        page = owner.open(undo)
        assert_page(page, 200)
        assert EMAIL in page.words
        removed = "Passkeys and two-step verification that were added since the change was asked for will be removed."
        assert removed in page.words
        answer = owner.post(page.form())
        assert answer.location == "/password/new"
        shown = owner.follow(answer)
        assert notices(shown) == ["Your email address is back, and everyone was signed out. Now set a new password."]
        assert EMAIL in shown.words
        assert not browser.is_signed_in
        assert [mail["To"] for mail in site.mails()[-2:]] == [EMAIL, NEW]
        link = site.link(EMAIL)
        answer = owner.post(shown.form(), {"password": OTHER_PASSWORD})
        assert answer.location == "/account"
        assert address_on(owner) == EMAIL
        assert site.browser().send(link).status == 410
        again = site.browser().open(undo)
        assert_error_page(again, 410)
        assert owner.open(undo).status == 200

    def test_can_be_done_in_the_browser_that_is_signed_in(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        shown = browser.follow(browser.fill(change(site, browser)))
        assert shown.form().fields.keys() == {"csrf_token", "password"}
        assert "signed out, for example" not in shown.text
        assert not browser.is_signed_in

    def test_that_is_too_late_says_for_how_long_it_was_possible(self, site: Site) -> None:
        undo = change(site, site.customer(EMAIL))
        with site.context.database.write() as connection:
            connection.exec_driver_sql("UPDATE link SET expires_at = created_at")
        page = site.browser().open(undo)
        assert_error_page(page, 410)
        assert "A change of email address can be undone for 3 days, and that time is over." in page.words


def test_the_owner_of_a_hijacked_account_is_alone_again(site: Site) -> None:
    """Take the account over with a stolen session, as an attacker who hides it as well as possible."""
    owner, attacker = site.customer(EMAIL), site.browser("198.51.100.66")
    attacker.set_cookie(owner.cookie() or "")
    undo = change(site, attacker, EVE)
    attacker.ask_for_reset(EVE)
    assert attacker.fill(site.link(EVE), {"password": OTHER_PASSWORD}).location == "/account"
    second = "eve@example.net"
    attacker.fill(REAUTHENTICATE, {"password": OTHER_PASSWORD}, submit_to=REAUTHENTICATE)
    ask(attacker, second)
    attacker.fill(site.link(second))
    assert address_on(attacker) == second
    attackers_undo = site.link(EVE)

    home = site.browser("203.0.113.5")
    reset = home.follow(home.fill(undo))
    assert not attacker.is_signed_in
    for email in (EVE, second, EMAIL):
        assert attacker.sign_in(email, OTHER_PASSWORD).status == 422
        attacker.ask_for_reset(email)
    assert attacker.open(attackers_undo).status == 410
    last_words = [mail for mail in site.mails(second) if "was undone" in mail["Subject"]]
    assert len(last_words) == 1
    assert home.post(reset.form(), {"password": "twelve calm newts read"}).location == "/account"
    assert address_on(home) == EMAIL
    sessions = home.open("/account/sessions").tree.one("main").all("h2")
    assert [session.text for session in sessions] == ["Unknown browser Current session"]
    assert [row["email"] for row in site.rows()["contact"]] == [EMAIL]
