"""`portal check`: organisations without pages, and sites that need hand-over codes."""

from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from tests.cli.conftest import Checked, Run


def test_an_organisation_whose_pages_are_nowhere_is_named(run: Run, checked: Checked) -> None:
    run("db", "upgrade")
    for slug, host in (("good", "login.example.com"), ("lost", ""), ("hidden", "portal.example.com")):
        assert run("organisation", "add", slug, "--name", "The Shop", "--hostname", host).status == 0
    assert checked.named() == {"organisation lost", "organisation hidden"}


RETURNING = ("organisation", "set", "default", "--return-origin", "https://shop.example.com")


HANDING_OVER = ("organisation", "set", "default", "--handover-url", "https://shop.example.com/signed-in")


def test_an_upgraded_embedded_site_is_advised_to_list_its_hand_over_addresses(run: Run, checked: Checked) -> None:
    run("db", "upgrade")
    assert run(*RETURNING, "--frame-ancestor", "https://shop.example.com").status == 0
    assert checked.named() == {"organisation default"}
    assert "--handover-url" in checked.outcome().out
    assert run(*HANDING_OVER).status == 0
    assert checked.outcome().status == 0


def test_an_upgraded_site_whose_server_redeemed_codes_is_advised_too(
    run: Run, checked: Checked, context: Context
) -> None:
    assert run(*RETURNING).status == 0
    with context.database.write() as connection:
        visitor = Visitor(organisation_id=1, ip=None)
        record(connection, visitor, EventKind.HANDOVER, contact_id=None, now=context.clock())
    assert checked.named() == {"organisation default"}
    assert run(*HANDING_OVER).status == 0
    assert checked.outcome().status == 0


def test_a_site_that_may_need_no_codes_is_only_noted(run: Run, checked: Checked) -> None:
    run("db", "upgrade")
    assert run(*RETURNING).status == 0
    outcome = checked.outcome()
    assert outcome.status == 0
    note, verdict = outcome.out.splitlines()
    assert note.startswith("Note: organisation default: ")
    assert "--handover-url" in note
    assert verdict == "No unsafe or incomplete setting was found."
    assert run(*HANDING_OVER).status == 0
    assert checked.outcome().out == f"{verdict}\n"
