"""The mail worker is killed while it sends an email, and while it cleans up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.domain.operations import retention as purging
from portal.domain.operations.retention import purge
from portal.storage.clock import utc_now
from tests.conftest import MovableClock
from tests.faults.process_death import (
    Point,
    after,
    after_call,
    after_commit,
    before_call,
    before_commit,
    end_leases,
    kill,
    while_sending,
)
from tests.web.conftest import PASSWORD, Site
from tests.web.post import link_in

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
CLAIM, STATE = "UPDATE outbox SET lease_until", "UPDATE outbox SET state"
POINTS = {
    "after the claim": (after_commit(CLAIM), 0),
    "before the connection": (before_call("connect"), 0),
    "after MAIL": (before_call("rcpt"), 0),
    "after RCPT": (before_call("data"), 0),
    "in DATA": (while_sending(0.5), 0),
    "after the dot": (while_sending(1), 1),
    "after 250": (after_call("data"), 1),
    "after the state": (after(STATE), 1),
    "before its COMMIT": (before_commit(STATE), 1),
}
"""A point, and the number of copies of the email that the server has by then."""


def as_if_leases_were_over(site: Site) -> None:
    with site.context.database.write() as connection:
        end_leases(connection)


@pytest.mark.parametrize(("point", "copies"), POINTS.values(), ids=POINTS)
def test_a_mail_whose_worker_is_killed_arrives_after_its_lease(site: Site, point: Point, copies: int) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    kill(site, point, Site.deliver)
    site._sink.wait_for(copies)
    assert len(site.mails()) == copies, "a claimed email was sent"
    as_if_leases_were_over(site)
    mails = site.mails(EMAIL)
    assert len(mails) == copies + 1
    assert len({mail["Message-ID"] for mail in mails}) == 1
    (link,) = {link_in(mail) for mail in mails}
    assert browser.fill(link).status == 302
    (row,) = site.rows()["outbox"]
    assert (row["state"], row["attempts"], row["claim"]) == ("sent", 0, None)


def test_a_claim_that_was_not_committed_delays_nothing(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    before = site.rows()
    for point in (after(CLAIM), before_commit(CLAIM)):
        kill(site, point, Site.deliver)
        assert site.rows() == before
    assert len(site.mails(EMAIL)) == 1


def test_a_mail_whose_state_was_committed_is_not_sent_again(site: Site) -> None:
    site.browser().register(EMAIL, PASSWORD)
    kill(site, after_commit(STATE), Site.deliver)
    as_if_leases_were_over(site)
    assert len(site.mails(EMAIL)) == 1


def purge_in_a_year(site: Site) -> dict[str, int]:
    clock = MovableClock()
    clock.now = utc_now() + timedelta(days=365)
    return purge(replace(site.context, clock=clock))


def test_a_retention_run_killed_half_way_is_finished_by_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH", 1)
    site.customer(EMAIL)
    site.browser().sign_in(EMAIL, PASSWORD)
    for stranger in ("bob@example.com", "eve@example.com"):
        site.browser().register(stranger, PASSWORD)
    site.deliver()
    site.browser().ask_for_reset(EMAIL)
    for table in ("outbox", "link", "registration", "identity", "event", "contact"):
        rows = len(site.rows()[table])
        point = after(f"DELETE FROM {table}", times=2)  # noqa: S608 - it is never executed
        kill(site, point, purge_in_a_year)
        assert len(site.rows()[table]) == rows - 1, f"{table}: one batch was committed, the other was not"
    purge_in_a_year(site)
    assert set(purge_in_a_year(site).values()) == {0}
    left = {name: len(rows) for name, rows in site.rows().items() if rows}
    assert left == {"organisation": 1, "contact": 1, "account": 1, "link": 1, "outbox": 1}, "the mail that waits"
    assert site.browser().sign_in(EMAIL, PASSWORD).status == 302
    site.deliver()
    link = link_in(site._sink.messages[-1]).removeprefix(site.settings.base_url)
    assert site.browser().fill(link, {"password": "eleven grey otters dive"}).status == 302
