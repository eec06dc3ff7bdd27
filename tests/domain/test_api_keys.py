"""API keys: created once, stored as digests, checked in the documented order, counted."""

import logging
import re
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from limits import parse as parse_limit
from sqlalchemy import select
from sqlalchemy.engine import make_url

from portal.domain import api_keys
from portal.domain.api_keys import DEFAULT_SCOPES, KeyKind, Scope
from portal.domain.context import Context
from portal.domain.use_cases.check_api_key import Caller, KeyProblem, KeyRefused, authenticate
from portal.settings import Settings
from portal.storage.models import ApiKey, Event
from tests.conftest import MovableClock
from tests.domain.scene import Scene

FORMAT = re.compile(r"(PROD|DEV_|ROOT)[A-Za-z0-9]{28}")


@dataclass(frozen=True)
class Shop:
    """A shop's server."""

    scene: Scene
    network: str = "198.51.100.7"

    @property
    def context(self) -> Context:
        return self.scene.context

    def key(self, kind: KeyKind = KeyKind.PRODUCTION, **options: Any) -> str:
        return api_keys.create(self.context, self.scene.visitor.organisation_id, kind, **options)[1]

    def use(self, key: str | None) -> Caller:
        return authenticate(self.context, key, network=self.network, request_id="e" * 16)

    def problem(self, key: str | None) -> KeyProblem:
        with pytest.raises(KeyRefused) as caught:
            self.use(key)
        return caught.value.problem

    def last_used(self) -> object:
        return self.scene.rows(select(ApiKey.c.last_used_at))[0][0]


@pytest.fixture
def shop(scene: Scene) -> Shop:
    return Shop(scene)


@pytest.mark.parametrize("kind", KeyKind)
def test_a_key_has_the_documented_form_of_its_kind(shop: Shop, kind: KeyKind) -> None:
    key = shop.key(kind)
    assert FORMAT.fullmatch(key)
    assert key.startswith(kind.value)


def test_only_a_digest_of_a_key_is_stored(shop: Shop) -> None:
    key = shop.key(label="Till")
    (row,) = shop.scene.rows(select(ApiKey))
    assert row.digest == sha256(key.encode()).digest()
    assert key[4:] not in repr(tuple(row))


def test_a_key_has_the_scopes_that_it_was_given(shop: Shop) -> None:
    caller = shop.use(shop.key(scopes=[Scope.LOGIN, Scope.GROUPS]))
    assert (caller.organisation_id, caller.organisation_name) == (
        shop.scene.visitor.organisation_id,
        shop.scene.visitor.organisation_name,
    )
    caller.require(Scope.LOGIN)
    for scope in set(Scope) - {Scope.LOGIN, Scope.GROUPS}:
        with pytest.raises(KeyRefused) as caught:
            caller.require(scope)
        assert caught.value.problem is KeyProblem.NO_SCOPE


def test_a_key_has_every_scope_but_groups_by_default(shop: Shop) -> None:
    assert shop.use(shop.key()).scopes == set(DEFAULT_SCOPES) == set(Scope) - {Scope.GROUPS}


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, KeyProblem.EMPTY),
        ("", KeyProblem.EMPTY),
        ("PROD", KeyProblem.MALFORMED),
        ("TEST" + "a" * 28, KeyProblem.MALFORMED),
        ("prod" + "a" * 28, KeyProblem.MALFORMED),
        ("PROD" + "a" * 27, KeyProblem.MALFORMED),
        ("PROD" + "a" * 29, KeyProblem.MALFORMED),
        ("PROD" + "a" * 28 + "\n", KeyProblem.MALFORMED),
        ("PROD" + "á" * 28, KeyProblem.MALFORMED),
        ("PROD" + "٣" * 28, KeyProblem.MALFORMED),
        ("PROD" + "\ud800" * 28, KeyProblem.MALFORMED),
        (" PROD" + "a" * 28, KeyProblem.MALFORMED),
        ("PROD" + "a" * 28, KeyProblem.UNKNOWN),
    ],
    ids=ascii,
)
def test_an_invalid_key_is_refused_by_its_kind(shop: Shop, key: str | None, problem: KeyProblem) -> None:
    shop.key()
    assert shop.problem(key) is problem


def test_a_key_is_compared_whole_and_case_sensitively(shop: Shop) -> None:
    key = shop.key()
    assert shop.problem(key[:-1] + ("a" if key[-1] != "a" else "b")) is KeyProblem.UNKNOWN
    assert shop.problem(key[:4] + key[4:].swapcase()) is KeyProblem.UNKNOWN
    assert shop.problem(("DEV_" if key[:4] != "DEV_" else "ROOT") + key[4:]) is KeyProblem.UNKNOWN


def test_an_expired_key_is_refused(shop: Shop, clock: MovableClock) -> None:
    key = shop.key(lifetime=timedelta(days=90))
    clock.advance(timedelta(days=90, seconds=-1))
    shop.use(key)
    clock.advance(timedelta(seconds=1))
    assert shop.problem(key) is KeyProblem.EXPIRED


def test_a_revoked_key_is_refused_at_the_next_request(shop: Shop) -> None:
    key = shop.key()
    shop.use(key)
    assert api_keys.revoke(shop.context, 1)
    assert shop.problem(key) is KeyProblem.REVOKED
    assert not api_keys.revoke(shop.context, 1)


def test_the_rate_limit_of_a_key_depends_on_its_kind(shop: Shop) -> None:
    rules = {"api_limit_dev": parse_limit("2 per minute"), "api_limit_prod": parse_limit("9 per minute")}
    shop = Shop(shop.scene.with_rules(**rules))
    kinds = (KeyKind.DEVELOPER, KeyKind.PRODUCTION, KeyKind.ROOT)
    assert [shop.use(shop.key(kind)).rate for kind in kinds] == [*rules.values(), None]


def test_a_request_without_the_scope_is_refused(shop: Shop) -> None:
    with pytest.raises(KeyRefused) as caught:
        shop.use(shop.key(scopes=[])).require(Scope.LOGIN)
    assert caught.value.problem is KeyProblem.NO_SCOPE


def test_wrong_keys_are_limited_by_network_and_a_valid_key_still_works(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(shop.scene.with_rules(login_limit_network=parse_limit("3 per hour")))
    guess = "PROD" + "a" * 28
    with caplog.at_level(logging.WARNING, logger="portal.keys"):
        problems = [shop.problem(guess) for _ in range(6)]
    assert problems == [KeyProblem.UNKNOWN] * 3 + [KeyProblem.TOO_MANY] * 3
    assert Shop(shop.scene, network="203.0.113.9").problem(guess) is KeyProblem.UNKNOWN
    shop.use(shop.key())
    (entry,) = [record for record in caplog.records if "too many unknown keys" in record.message]
    assert "198.51.100.7" in entry.message
    assert guess not in entry.message


def test_the_last_use_is_written_once_a_minute(shop: Shop, clock: MovableClock) -> None:
    key = shop.key()
    assert shop.last_used() is None
    shop.use(key)
    first = clock()
    clock.advance(timedelta(seconds=59))
    shop.use(key)
    assert shop.last_used() == first
    clock.advance(timedelta(seconds=1))
    shop.use(key)
    assert shop.last_used() == clock()


@pytest.mark.on_sqlite
def test_recording_the_last_use_does_not_wait_for_a_writer(shop: Shop, settings: Settings) -> None:
    key = shop.key()
    path = make_url(settings.database_url).database
    assert path
    assert Path(path).exists()
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        shop.use(key)
        assert shop.last_used() is None
        other.execute("ROLLBACK")
    finally:
        other.close()
    shop.use(key)
    assert shop.last_used() is not None
    with shop.context.database.write() as connection:  # a request that must write still waits for others
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() > 0


def test_creating_and_revoking_a_key_are_recorded(shop: Shop) -> None:
    shop.key()
    api_keys.revoke(shop.context, 1)
    events = shop.scene.rows(select(Event.c.kind, Event.c.organisation_id).order_by(Event.c.id))
    assert [event.kind for event in events] == ["key_create", "key_revoke"]
    assert {event.organisation_id for event in events} == {shop.scene.visitor.organisation_id}
