"""The activity page of the account."""

import pytest
from sqlalchemy import insert

from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure
from portal.domain.use_cases.list_activity import PAGE_LENGTH
from portal.storage.models import Event
from portal.web.activity import DONE, REASONS, REFUSED
from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site

EMAIL, BOB = "ada@example.com", "bob@example.com"
PATH = "/account/activity"
WITHOUT_CUSTOMER = {
    *(EventKind.ORGANISATION_ADD, EventKind.ORGANISATION_CHANGE, EventKind.IMPORT, EventKind.DELETE),
    *(EventKind.KEY_CREATE, EventKind.KEY_REVOKE, EventKind.KEY_LIMIT, EventKind.LINK_GUESS),
}
UNTOLD = {
    *(Failure.LOGIN_FAILED, Failure.UNKNOWN_CONTACT, Failure.REGISTRATION_FAILED),
    *(Failure.NO_SUCH_LINK, Failure.NO_SUCH_HANDOVER, Failure.HANDOVER_EXPIRED),
    *(Failure.TWO_STEP_REQUIRED, Failure.TWO_STEP_SETUP_REQUIRED),
    Failure.PASSKEY_NOT_ADDED,
}
"""Events that are never recorded with a customer."""


def told(page: Page) -> list[str]:
    return [heading.text for heading in page.tree.one("main").all("h2")]


def add_events(site: Site, count: int) -> None:
    (first,) = {row["contact_id"] for row in site.rows()["event"]}
    row = {"organisation_id": 1, "contact_id": first, "kind": "sign_out", "occurred_at": site.context.clock()}
    with site.context.database.write() as connection:
        connection.execute(insert(Event), [row] * count)


def test_every_kind_of_event_and_every_refusal_has_words() -> None:
    assert set(DONE) == set(EventKind) - WITHOUT_CUSTOMER
    assert set(REFUSED) <= set(DONE)
    assert set(REASONS) == set(Failure) - UNTOLD


def test_events_are_listed_in_words_the_newest_first(site: Site) -> None:
    browser = site.customer(EMAIL)
    site.browser().sign_in(EMAIL, "six wrong geese honk")
    page = browser.open(PATH)
    assert told(page)[:2] == ["Sign-in failed: wrong password", "Signed in"]
    assert told(page)[-1] == "Registration with this email address"
    assert "192.0.2.10" in page.words
    time = page.tree.one("main").all("time")[0]
    assert time.text.endswith(" UTC")
    assert time.text.count(":") == 1, "no seconds"


def test_events_are_listed_in_czech(site: Site) -> None:
    browser = site.customer(EMAIL, PASSWORD)
    browser.post(browser.open("/account").form("/language"), {"locale": "cs"})
    assert told(browser.open(PATH))[0] == "Přihlášení"


def test_there_are_fifty_on_a_page_and_a_way_to_older_ones(site: Site) -> None:
    browser = site.customer(EMAIL)
    there = len(told(browser.open(PATH)))
    add_events(site, PAGE_LENGTH)
    first = browser.open(PATH)
    assert told(first) == ["Signed out"] * PAGE_LENGTH
    (older,) = (a.get("href") for a in first.tree.all("a") if a.text == "Older")
    second = browser.open(older)
    assert len(told(second)) == there
    assert [a.text for a in second.tree.one("nav", class_="pages").all("a")] == ["Newest"]


@pytest.mark.parametrize("before", ["x", "-1", "0", str(2**70), "", "1&before=2"])
def test_a_page_that_is_none_is_the_first_one_or_empty(site: Site, before: str) -> None:
    assert site.customer(EMAIL).send(f"{PATH}?before={before}").status == 200


def test_only_ones_own_is_shown(site: Site) -> None:
    ada, bob = site.customer(EMAIL), site.customer(BOB)
    site.browser().sign_in(EMAIL, "six wrong geese honk")
    newest = max(row["id"] for row in site.rows()["event"])
    assert "failed" not in bob.open(f"{PATH}?before={newest + 1}").words
    assert "failed" in ada.open(PATH).words


def test_a_page_costs_as_many_statements_however_much_happened(site: Site) -> None:
    browser = site.customer(EMAIL)
    add_events(site, 10_000)
    for path in (PATH, "/account"):
        with site.statements() as noted:
            browser.send(path)
        assert len([statement for statement in noted if statement.startswith("SELECT")]) == 2, path


def test_activity_and_sessions_lead_to_how_the_customer_signs_in(site: Site) -> None:
    browser = site.customer(EMAIL)
    for path in (PATH, "/account/sessions"):
        (lead,) = browser.open(path).tree.all("p", class_="lead")
        assert lead.one("a", href="/account/security").text == "check how you sign in"
