"""Identities: their lifetime, and what ends them."""

import re
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select

from portal.domain import identities
from portal.domain.identities import SHORT_IDLE, Customer, NewIdentity
from portal.domain.operations import ban
from portal.domain.values.email import parse_email
from portal.storage import sqlite
from portal.storage.database import open_database
from portal.storage.models import Identity
from tests.conftest import MovableClock
from tests.domain.scene import ADA, Scene

SECOND = timedelta(seconds=1)


def test_an_identity_is_32_random_alphanumerics(scene: Scene) -> None:
    customer = scene.get(scene.join())
    context, count = scene.context, 2000
    with context.database.write() as connection:
        raw = [
            identities.start(
                connection, context.rules, scene.visitor, NewIdentity(customer.id, remember=False), context.clock()
            )
            for _ in range(count)
        ]
    assert len(set(raw)) == count
    assert all(re.fullmatch(r"[A-Za-z0-9]{32}", identity, re.ASCII) for identity in raw)
    assert {len(set(place)) for place in zip(*raw, strict=True)} == {62}, "not every character stands at every place"


def test_a_customer_may_have_any_number_of_identities(scene: Scene) -> None:
    raw = [scene.join(), *(scene.log_in() for _ in range(20))]
    assert all(scene.is_signed_in(identity) for identity in raw)


def test_only_the_digest_of_an_identity_is_stored(scene: Scene) -> None:
    raw = scene.join()
    [row] = scene.rows(select(Identity))
    assert row.digest == sha256(raw.encode()).digest()
    assert not any(raw in str(value) for value in row)


def test_an_identity_stores_its_ip_and_user_agent(scene: Scene) -> None:
    scene.join()
    [row] = scene.rows(select(Identity))
    assert (row.ip, row.user_agent, row.remember) == ("192.0.2.10", "Browser/1.0", False)


def test_an_identity_finds_its_customer(scene: Scene) -> None:
    customer = scene.get(scene.join(first_name="Ada", last_name="Lovelace"))
    assert (customer.email, customer.name) == (ADA, "Ada Lovelace")
    assert re.fullmatch(r"[A-Za-z0-9]{16}", customer.cu_ref_no)


def test_the_api_returns_the_signed_in_customer(scene: Scene) -> None:
    identity = scene.join(first_name="Ada", phone="+420 777123456", company_name="Engines & Sons")
    customer = scene.get(identity)
    assert (customer.email, customer.phone, customer.company_name) == (ADA, "+420 777123456", "Engines & Sons")
    assert (customer.first_name, customer.last_name) == ("Ada", None)


def test_the_api_refuses_an_ended_identity(scene: Scene, clock: MovableClock) -> None:
    identity, signed_out = scene.join(), scene.log_in()
    scene.log_out(signed_out)
    assert find(scene, signed_out) is None
    assert find(scene, "A" * 32) is None
    assert find(scene.at_another_organisation(), identity) is None
    clock.advance(SHORT_IDLE - timedelta(seconds=1))
    assert find(scene, identity)
    clock.advance(timedelta(minutes=10))  # being asked for counts as use
    assert find(scene, identity)
    scene.ban()
    assert find(scene, identity) is None


def find(scene: Scene, identity: str) -> Customer | None:
    return identities.find(scene.context, scene.visitor.organisation_id, identity)


@pytest.mark.parametrize("raw", ["", "A" * 32, "\u017e", "\ud800", "x" * 100_000])
def test_an_unknown_identity_finds_no_customer(scene: Scene, raw: str) -> None:
    scene.join()
    assert scene.who(raw) is None
    scene.log_out(raw)


@pytest.mark.parametrize(("kept", "idle"), [(False, timedelta(hours=2)), (True, timedelta(days=7))])
def test_an_idle_identity_expires(scene: Scene, clock: MovableClock, kept: bool, idle: timedelta) -> None:
    scene.join()
    used, unused = scene.log_in(remember=kept), scene.log_in(remember=kept)
    clock.advance(idle - SECOND)
    assert scene.is_signed_in(used)
    clock.advance(SECOND)
    assert [scene.is_signed_in(used), scene.is_signed_in(unused)] == [True, False]


@pytest.mark.parametrize(
    ("kept", "lifetime", "step"),
    [(False, timedelta(hours=12), timedelta(hours=1)), (True, timedelta(days=30), timedelta(days=5))],
)
def test_use_does_not_extend_an_identity_past_its_absolute_lifetime(
    scene: Scene, clock: MovableClock, kept: bool, lifetime: timedelta, step: timedelta
) -> None:
    scene.join()
    identity = scene.log_in(remember=kept)
    end = clock() + lifetime
    while clock() + step < end:
        clock.advance(step)
        assert scene.is_signed_in(identity)
    clock.advance(end - clock() - SECOND)
    assert scene.is_signed_in(identity)
    clock.advance(SECOND)
    assert not scene.is_signed_in(identity)


def test_the_lifetimes_of_a_remembered_identity_are_settings(scene: Scene, clock: MovableClock) -> None:
    scene = scene.with_rules(identity_lifetime=timedelta(hours=3), identity_idle=timedelta(hours=1))
    scene.join()
    idle, lasting = scene.log_in(remember=True), scene.log_in(remember=True)
    for _ in range(5):
        clock.advance(timedelta(minutes=30))
        assert scene.is_signed_in(lasting)
    assert not scene.is_signed_in(idle)
    clock.advance(timedelta(minutes=30))
    assert not scene.is_signed_in(lasting)


def test_using_an_identity_again_within_a_minute_writes_nothing(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    [before] = scene.rows(select(Identity))
    clock.advance(timedelta(seconds=59))
    assert scene.is_signed_in(identity)
    assert scene.rows(select(Identity)) == [before]
    clock.advance(SECOND)
    assert scene.is_signed_in(identity)
    assert scene.rows(select(Identity.c.seen_at))[0][0] == clock()


def test_an_identity_is_found_while_the_database_cannot_be_written(
    scene: Scene, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0)
    identity = scene.join()
    clock.advance(timedelta(minutes=5))
    impatient = open_database(scene.context.database.engine.url.render_as_string(hide_password=False))
    with scene.context.database.write() as connection:
        connection.execute(select(Identity.c.id).with_for_update())
        assert replace(scene, context=replace(scene.context, database=impatient)).is_signed_in(identity)
    impatient.engine.dispose()


def test_signing_out_ends_this_identity_and_no_other(scene: Scene) -> None:
    scene.join()
    identity, other = scene.log_in(), scene.log_in()
    scene.log_out(identity)
    scene.log_out(identity)
    assert [scene.is_signed_in(identity), scene.is_signed_in(other)] == [False, True]


def test_a_ban_ends_every_identity_and_lifting_it_restores_none(scene: Scene) -> None:
    identity = scene.join()
    kept = scene.log_in(remember=True)
    others = scene.join("eve@example.com")
    scene.ban()
    assert [scene.is_signed_in(one) for one in (identity, kept, others)] == [False, False, True]
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    assert [scene.is_signed_in(one) for one in (identity, kept)] == [False, False]
    assert scene.log_in()


def test_an_identity_started_during_a_ban_is_refused(scene: Scene) -> None:
    customer = scene.get(scene.join())
    scene.ban()
    context = scene.context
    with context.database.write() as connection:
        raw = identities.start(
            connection, context.rules, scene.visitor, NewIdentity(customer.id, remember=True), context.clock()
        )
    assert not scene.is_signed_in(raw)
