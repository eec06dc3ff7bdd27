"""Each change of customers, keys and organisations leaves one event in a known format."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from portal.domain.api_keys import KeyKind
from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure
from portal.domain.operations import ban
from portal.domain.operations.import_customers import Row, begin_import
from portal.domain.values.email import parse_email
from portal.storage.models import Organisation
from tests.api.shop import Shop, new_key, new_shop
from tests.domain.instrumentation import lines_of
from tests.faults.single_requests import SINGLE_REQUESTS
from tests.faults.single_requests.world import ADA, RETURN, World
from tests.web.conftest import Site, Start

pytestmark = pytest.mark.on_sqlite

GUESSES = 61
SCHEMA = {
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"),
    "level": re.compile("info"),
    "logger": re.compile(r"portal\.events"),
    "message": re.compile(r"\w+ contact=\w+ refusal=\w+ request=\w+"),
    "kind": re.compile("|".join(EventKind)),
    "contact": re.compile(r"\d+|None"),
    "refusal": re.compile("|".join([*Failure.__members__, "None"])),
    "request": re.compile("[0-9a-f]{16}|None"),
}
BY_OPERATOR = {
    *(EventKind.BAN, EventKind.UNBAN, EventKind.DELETE, EventKind.IMPORT, EventKind.KEY_CREATE, EventKind.KEY_REVOKE),
    *(EventKind.SESSIONS_END_ALL, EventKind.TWO_STEP_RESET, EventKind.ORGANISATION_ADD, EventKind.ORGANISATION_CHANGE),
}
"""Events without a request."""


@pytest.fixture
def world(start: Start) -> World:
    names = ("LOGIN_LIMIT_ACCOUNT", "MAIL_LIMIT_ADDRESS", "MAIL_LIMIT_NETWORK", "REGISTER_LIMIT_NETWORK")
    roomy = dict.fromkeys(names, "1000 per hour")
    site = start(
        **roomy,
        BASE_URL="https://portal.example.com",  # passkeys need a host name
        LOGIN_LIMIT_NETWORK=f"{GUESSES - 1} per hour",
        API_LIMIT_DEV="1 per hour",
    )
    with site.context.database.write() as connection:
        lists = {"return_origins": ["https://shop.example.com"], "handover_urls": [RETURN]}
        connection.execute(update(Organisation).values(lists))
    site.customer(ADA)
    return World(site, new_shop(site))


def live(world: World) -> None:
    """Cause each kind of event, done and refused."""
    site = world.site
    for deed in SINGLE_REQUESTS:
        assert deed(world)()[0] != 503
    for _ in range(GUESSES):
        site.browser("198.51.100.9").send(f"/password/reset/{'A' * 50}")
    developer = Shop(site, new_key(site, KeyKind.DEVELOPER))
    for _ in range(3):
        developer.ask("GET", "get-account-info", query={"identityId": "A" * 32})
    with begin_import(site.context, 1) as begun:
        assert list(begun.check([Row(1, {"email": "zoe@example.com"})])) == []
        begun.store()
    asking = site.browser()
    asking.fill("/login/link", {"email": ADA})
    asking.fill("/login/code", {"code": "no code"}, submit_to="/login/code")
    ban.ban(site.context, 1, parse_email(ADA), "spam")


def test_each_action_is_logged_as_one_event_with_documented_fields(world: World) -> None:
    before = len(world.site.rows()["event"])
    began = datetime.now(UTC)
    with lines_of("portal.events") as lines:
        live(world)
    rows = sorted(world.site.rows()["event"], key=lambda row: row["id"])[before:]

    assert {row["kind"] for row in rows} == set(EventKind), "something happens that this life has not"
    assert {"WRONG_PASSWORD", "WRONG_CODE", "TOO_MANY_LOGINS"} <= {str(row["refusal"]) for row in rows}
    for line in lines:
        assert line.keys() == SCHEMA.keys()
        for name, shape in SCHEMA.items():
            assert shape.fullmatch(str(line[name])), (name, line)
    for row in rows:
        assert row["occurred_at"].tzinfo is UTC
        assert began <= row["occurred_at"] <= datetime.now(UTC)
        assert (row["request_id"] is None) == (row["kind"] in BY_OPERATOR), row
    # The log has the same events as the table.
    told = [(line["kind"], line["refusal"], line["request"]) for line in lines]
    kept = [(row["kind"], row["refusal"], row["request_id"]) for row in rows]
    assert len(told) == len(kept)
    assert sorted(map(repr, told)) == sorted(map(repr, kept))


def test_the_use_of_a_key_is_logged_with_its_request(site: Site, shop: Shop) -> None:
    with lines_of("portal.access") as lines:
        shop.account("A" * 32)
    (line,) = lines
    assert (line["key"], line["status"]) == (1, 200)
    assert re.fullmatch("[0-9a-f]{16}", line["request"])
    assert site.rows()["api_key"][0]["last_used_at"] is not None
