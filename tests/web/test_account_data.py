"""The customer's data: its copy, deleting the account, and keeping a closed one."""

import json
import logging
from time import sleep
from typing import Any

import pytest
from sqlalchemy import update

from portal.domain import contacts
from portal.domain.contact_details import api_name
from portal.domain.customer_data import EXPORTED
from portal.domain.operations.retention import purge
from portal.domain.recent_authentication import RECENT
from portal.storage.models import Contact, Identity, OutboxMail, Registration
from portal.web.data_words import LABELS, NOT_SHOWN, sections_of
from portal.web.profile_forms import PROFILE_ORDER
from tests.api.shop import new_shop
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.post import link_in, text_of

EMAIL = "ada@example.com"
DATA, EXPORT, DELETE = "/account/data", "/account/export", "/account/delete"
NEW_PASSWORD = "nine grey otters swim"
NAME, PHONE = "Adalbertina", "+420 777123456"


def forget_proofs(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=site.context.clock() - RECENT))


def export(browser: Browser, page_or_json: str) -> Page:
    return browser.post(browser.open(DATA).form(EXPORT), {"format": page_or_json})


def close(browser: Browser) -> Page:
    return browser.fill(DELETE, {"confirm": "y"}, submit_to=DELETE)


def events(site: Site) -> list[str]:
    return [row["kind"] for row in sorted(site.rows()["event"], key=lambda row: row["id"])]


def test_the_page_is_in_the_navigation_and_leads_to_both(site: Site) -> None:
    browser = site.customer(EMAIL)
    assert [a.text for a in browser.open("/account").tree.all("a", href=DATA)] == ["Your data"]
    page = browser.open(DATA)
    (current,) = page.tree.all("a", aria_current="page")
    assert current.get("href") == DATA
    buttons = page.tree.one("main").all("button", name="format")
    assert [button.get("value") for button in buttons] == ["page", "json"]
    assert page.tree.one("main").all("a", href=DELETE)


def test_a_copy_is_a_json_file_without_secrets(site: Site) -> None:
    browser = site.customer(EMAIL, phone=PHONE)
    answer = export(browser, "json")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == "attachment; filename=account-data.json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = json.loads(answer.body)
    assert (told["email"], told["phone"]) == (EMAIL, PHONE)
    assert told["events"][-1]["kind"] == "export"
    assert "argon2" not in answer.text
    assert browser.cookie() is not None
    assert events(site)[-1] == "export"
    assert "Copy of your data requested" in browser.open("/account/activity").words


def test_without_a_format_it_is_the_file(site: Site) -> None:
    assert json.loads(site.customer(EMAIL).fill(DATA, submit_to=EXPORT).body)["email"] == EMAIL


def test_a_copy_to_read_has_labels_sections_and_times_in_the_readers_language(site: Site) -> None:
    browser = site.customer(EMAIL, phone=PHONE)
    page = export(browser, "page")
    headings = [heading.text for heading in page.tree.one("main").all("h2")]
    assert headings == [
        *("Your details", "Password", "Registrations", "Sessions, current and ended", "Known browsers", "Activity"),
        *("Emails", "Links and codes in emails"),
    ]
    for words in (
        "Phone",
        PHONE,
        "Customer reference",
        "Newsletter",
        "Email address confirmed",
        "Kept signed in",
    ):
        assert words in page.words
    year = str(site.context.clock().year)
    assert year in page.words
    assert f"{year}-" not in page.words
    assert "argon2" not in page.text
    token = browser.open(DATA).form(EXPORT).token
    browser.send("/language", "POST", data={"csrf_token": token, "locale": "cs", "next": DATA})
    czech = export(browser, "page")
    for words in ("Údaje ve vašem účtu", "IP adresa při registraci", "Telefon", "Přihlášení, současná i ukončená"):
        assert words in czech.words


def test_the_name_of_a_customer_is_not_labelled_as_the_name_of_a_passkey(site: Site) -> None:
    told = json.loads(export(site.customer(EMAIL), "json").body) | {"passkeys": [{"name": "Phone"}]}
    with site.app.test_request_context():
        records = {section.title: section.records for section in sections_of(told)}
    assert ("Name", told["name"]) in records["Your details"][0]
    assert records["Passkeys"] == [[("Name of the passkey", "Phone")]]


def test_each_exported_field_has_a_label() -> None:
    names = {api_name(column) for columns in EXPORTED.values() for column in columns}
    profile = {api_name(column) for column in PROFILE_ORDER}
    assert names - set(LABELS) - profile - NOT_SHOWN == set()


def test_a_copy_needs_a_recent_proof(site: Site) -> None:
    browser = site.customer(EMAIL)
    forget_proofs(site)
    answer = export(browser, "json")
    assert answer.location == f"/reauthenticate?next={EXPORT}"
    again = browser.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate")
    assert browser.send(again.location).location == DATA
    assert export(browser, "json").status == 200
    assert events(site).count("export") == 1


def test_a_stale_form_gives_no_copy(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = browser.post(browser.open(DATA).form(EXPORT), {"csrf_token": "x"})
    assert (page.status, page.form(EXPORT).action) == (400, EXPORT)
    assert "export" not in events(site)


@pytest.mark.parametrize("path", [DATA, DELETE])
def test_it_is_for_customers_who_are_signed_in(site: Site, path: str) -> None:
    assert site.browser().send(path).location == f"/login?next={path}"


def test_before_it_deletes_the_page_says_what_happens_and_what_is_kept(site: Site) -> None:
    page = site.customer(EMAIL).open(DELETE)
    assert "Until then you can change your mind." in page.words
    assert [heading.text for heading in page.tree.one("main").all("h2")] == ["What happens", "What is kept, and why"]


def test_nothing_is_deleted_without_the_tick(site: Site) -> None:
    browser = site.customer(EMAIL)
    page = browser.fill(DELETE, submit_to=DELETE)
    assert (page.status, page.problems) == (422, [("confirm", "Tick the box if you want to delete your account.")])
    assert browser.is_signed_in


def test_deleting_needs_a_recent_proof_and_the_tick_is_kept(site: Site) -> None:
    browser = site.customer(EMAIL)
    forget_proofs(site)
    answer = close(browser)
    assert answer.location == f"/reauthenticate?next={DELETE}"
    again = browser.follow(browser.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate"))
    form = again.form(DELETE)
    assert form.fields["confirm"] == "y"
    assert browser.post(form).location == "/login"


def test_a_closed_account_is_unknown_until_it_is_kept(site: Site) -> None:
    browser, elsewhere = site.customer(EMAIL, first_name=NAME), site.browser()
    elsewhere.sign_in(EMAIL, PASSWORD)
    shop = new_shop(site)
    identity = shop.identity(shop.post("login", email=EMAIL, password=PASSWORD))
    site.browser().ask_for_reset(EMAIL)
    reset = site.link(EMAIL)

    answer = close(browser)
    assert "Your account is closed. We've emailed you a link" in browser.follow(answer).words
    assert not browser.is_signed_in
    assert not elsewhere.is_signed_in
    assert shop.ask("GET", "get-account-info", query={"identityId": identity}).json == {"loggedIn": False}
    assert site.browser().open(reset).status == 410
    assert shop.post("login", email=EMAIL, password=PASSWORD).json["errorCode"] == "E002"
    assert shop.post("magic-auth", email=EMAIL).json["errorCode"] == "E002"
    assert shop.post("reset-password", email=EMAIL).json == {"success": True}
    unknown = site.browser().sign_in("nobody@example.com", PASSWORD)
    known = site.browser().sign_in(EMAIL, PASSWORD)
    assert (known.status, known.problems) == (unknown.status, unknown.problems)
    mails = site.mails(EMAIL)
    site.browser().ask_for_reset(EMAIL)
    site.browser().fill("/login/link", {"email": EMAIL})
    assert site.mails(EMAIL) == mails

    registering = site.browser()
    assert registering.register(EMAIL, NEW_PASSWORD).location == "/register/code"
    mail = site.mails(EMAIL)[-1]
    assert mail["Subject"] == "Your closed account with Customer portal"
    keeping = site.browser()
    link = link_in(mail).removeprefix(site.settings.base_url)
    page = keeping.open(link)
    for method in ("GET", "HEAD"):
        assert keeping.send(link, method).status == 200
    assert keeping.send("/account/keep").status == 200
    assert EMAIL in page.words
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 422
    kept = keeping.follow(keeping.post(page.form()))
    assert "Your account is kept. You can sign in again." in kept.words
    assert kept.form().fields["email"] == EMAIL
    assert "already" in keeping.open(link).words
    assert "The account was kept with it." in site.browser().open(link).words
    assert site.browser().sign_in(EMAIL, NEW_PASSWORD).status == 422
    assert registering.open("/register/code").status == 200
    back = site.browser()
    assert back.sign_in(EMAIL, PASSWORD).location == "/account"
    assert NAME in back.open("/account").words
    activity = back.open("/account/activity").words
    assert "Account deletion requested" in activity
    assert "Account kept after all" in activity


def test_the_link_of_the_closing_email_keeps_the_account_and_says_until_when(site: Site) -> None:
    close(site.customer(EMAIL))
    mail = site.mails(EMAIL)[-1]
    assert mail["Subject"] == "Your account with Customer portal is closed"
    assert "will be erased on " in " ".join(text_of(mail).split())
    links = [line for line in text_of(mail).splitlines() if line.startswith("http")]
    assert len(links) == 1
    assert site.browser().fill(site.link(EMAIL)).location == "/login"
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302


def test_an_overdue_account_is_erased_and_its_address_is_new(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site = start(DELETION_GRACE="1s")
    browser = site.customer(EMAIL, first_name=NAME, phone=PHONE)
    close(browser)
    link = site.link(EMAIL)
    sleep(1)
    page = site.browser().open(link)
    assert (page.status, "The time to keep the account is over" in page.words) == (410, True)
    assert purge(site.context)["closed account"] == 1
    mail = site.mails(EMAIL)[0]  # no row of the erased customer says in which order the emails were due
    assert {mail["Subject"] for mail in site.mails(EMAIL)} >= {"We have erased your account with Customer portal"}
    assert mail["To"] == EMAIL
    stored = str(site.rows())
    assert [trace for trace in (EMAIL, NAME, PHONE) if trace in stored] == []
    assert [trace for trace in (EMAIL, NAME, PHONE) if trace in caplog.text] == []
    page = site.browser().open(link)
    assert (page.status, "The time to keep the account is over" in page.words) == (404, True)
    again = site.customer(EMAIL, NEW_PASSWORD)
    assert NAME not in again.open("/account").words
    assert len(site.rows()["contact"]) == 1


def test_without_grace_it_is_erased_at_once(start: Start) -> None:
    site = start(DELETION_GRACE="0")
    browser = site.customer(EMAIL)
    assert "If you delete your account, it is erased at once." in browser.open(DELETE).words
    assert "Your account was erased." in browser.follow(close(browser)).words
    assert {mail["Subject"] for mail in site.mails(EMAIL)} == {
        "Confirm your email address for Customer portal",
        "We have erased your account with Customer portal",
    }
    rows = site.rows()
    assert [table.name for table in (Contact, Identity, OutboxMail, Registration) if rows[table.name]] == []


def test_a_session_that_was_ended_meanwhile_deletes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = site.customer(EMAIL)
    form = browser.open(DELETE).form(DELETE)

    def ended(*_arguments: Any) -> bool:
        return False

    monkeypatch.setattr("portal.web.account_data.close_account", ended)
    assert browser.post(form, {"confirm": "y"}).location == f"/login?next={DELETE}"


def test_a_copy_for_a_customer_who_is_gone_meanwhile_leads_to_sign_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = site.customer(EMAIL)
    form = browser.open(DATA).form(EXPORT)
    monkeypatch.setattr(contacts, "lock", lambda *_arguments: None)
    assert browser.post(form).location == f"/login?next={EXPORT}"


def test_a_stale_form_keeps_nothing(site: Site) -> None:
    close(site.customer(EMAIL))
    browser = site.browser()
    page = browser.post(browser.open(site.link(EMAIL)).form(), {"csrf_token": "x"})
    assert page.status == 400
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 422


def test_without_an_opened_link_the_page_leads_to_sign_in(site: Site) -> None:
    assert site.browser().send("/account/keep").location == "/login"
