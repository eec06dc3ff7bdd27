"""A customer lists sessions and ends them from another one."""

from datetime import timedelta

import pytest
from sqlalchemy import event, insert, select

from portal.domain.identities import SHORT_IDLE, Channel
from portal.domain.outbox import Notice
from portal.domain.use_cases.end_session import UnknownSession, end_other_sessions, end_session
from portal.domain.use_cases.hand_over import hand_over, redeem
from portal.domain.use_cases.list_sessions import MOST_LISTED, Sessions, list_sessions
from portal.storage.models import Event, Identity
from tests.conftest import MovableClock
from tests.domain.scene import ADA, Scene

BOB = "bob@example.com"
NONCE = "n" * 22


def sessions(scene: Scene, identity: str) -> Sessions:
    return list_sessions(scene.context, scene.get(identity))


def end(scene: Scene, identity: str, session_id: int) -> None:
    end_session(scene.context, scene.visitor, scene.get(identity), session_id)


def end_others(scene: Scene, identity: str) -> None:
    end_other_sessions(scene.context, scene.visitor, scene.get(identity))


def kinds(scene: Scene) -> list[str]:
    rows = scene.rows(select(Event.c.kind).where(Event.c.kind.startswith("session")).order_by(Event.c.id))
    return [row.kind for row in rows]


def test_the_session_in_use_comes_first_and_then_the_last_used(scene: Scene, clock: MovableClock) -> None:
    first = scene.join()
    clock.advance(timedelta(minutes=5))
    second = scene.log_in()
    listed = sessions(scene, first).listed
    assert [(one.id, one.is_current) for one in listed] == [
        (scene.get(first).identity_id, True),
        (scene.get(second).identity_id, False),
    ]
    assert {one.channel for one in listed} == {Channel.BROWSER}
    assert listed[0].ip == "192.0.2.10"


def test_only_what_would_be_accepted_is_listed(scene: Scene, clock: MovableClock) -> None:
    scene.log_out(scene.join())
    scene.log_in()
    clock.advance(SHORT_IDLE)
    assert len(sessions(scene, scene.log_in()).listed) == 1


def test_a_session_that_is_ended_is_out(scene: Scene) -> None:
    here, there = scene.join(), scene.log_in()
    ended = scene.get(there).identity_id
    end(scene, here, ended)
    assert not scene.is_signed_in(there)
    assert scene.is_signed_in(here)
    end(scene, here, ended)
    assert kinds(scene) == ["session_end"]


def test_others_sessions_are_as_unknown_as_none(scene: Scene) -> None:
    bob = scene.join(BOB)
    ada = scene.join()
    for session_id in (scene.get(bob).identity_id, 0, 2**31 - 1):
        with pytest.raises(UnknownSession):
            end(scene, ada, session_id)
    end_others(scene, ada)
    assert scene.is_signed_in(bob)
    assert kinds(scene) == []


def test_all_others_end_at_once(scene: Scene) -> None:
    here, *others = scene.join(), scene.log_in(), scene.log_in(remember=True)
    end_others(scene, here)
    assert [scene.is_signed_in(identity) for identity in (here, *others)] == [True, False, False]
    end_others(scene, here)
    assert kinds(scene) == ["sessions_end"]
    assert [mail.recipient for mail in scene.mails(Notice.SESSIONS_ENDED)] == [ADA]


def test_what_was_handed_over_belongs_to_the_session_it_came_from(scene: Scene) -> None:
    here, other = scene.join(), scene.log_in()
    code = hand_over(scene.context, scene.get(here), NONCE)
    shop = redeem(scene.context, scene.visitor, code, NONCE)
    listed = {one.id: one.ends_with_current for one in sessions(scene, here).listed}
    assert listed == {
        scene.get(here).identity_id: False,
        scene.get(shop).identity_id: True,
        scene.get(other).identity_id: False,
    }
    end_others(scene, here)
    assert [scene.is_signed_in(identity) for identity in (here, shop, other)] == [True, True, False]
    again = scene.log_in()
    end(scene, again, scene.get(shop).identity_id)
    assert [scene.is_signed_in(identity) for identity in (here, shop, again)] == [False, False, True]


def test_however_many_there_are_one_statement_finds_them(scene: Scene) -> None:
    here = scene.get(scene.join())
    now = scene.context.clock()
    copy = {"contact_id": here.id, "remember": True, "created_at": now, "seen_at": now}
    copies = [{**copy, "digest": n.to_bytes(32), "expires_at": now + timedelta(days=1)} for n in range(10_000)]
    with scene.context.database.write() as connection:
        connection.execute(insert(Identity), copies)
    sent: list[str] = []
    engine = scene.context.database.engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
    found = list_sessions(scene.context, here)
    assert len([statement for statement in sent if statement.startswith("SELECT")]) == 1
    assert (len(found.listed), found.left_out) == (MOST_LISTED, 10_001 - MOST_LISTED)
    assert found.listed[0].id == here.identity_id
