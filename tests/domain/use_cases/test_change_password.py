"""A signed-in customer changes the password."""

from itertools import pairwise

import pytest
from sqlalchemy import update

from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.domain.use_cases.report_not_me import get_not_me_link
from portal.storage.models import Contact
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused


def test_a_password_change_ends_every_identity_and_starts_a_new_one(scene: Scene) -> None:
    identity = scene.join()
    kept = scene.log_in(remember=True)
    others = scene.join("eve@example.com")
    new = scene.change(identity, PASSWORD, SECOND_PASSWORD)
    assert [scene.is_signed_in(one) for one in (identity, kept, new, others)] == [False, False, True, True]
    assert scene.log_in(ADA, SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, PASSWORD)


def test_a_password_change_ends_open_links_and_emails_the_owner(scene: Scene) -> None:
    identity = scene.join()
    token = scene.ask_reset()
    scene.change(identity, PASSWORD, SECOND_PASSWORD)
    with refused(Failure.LINK_ENDED):
        scene.reset(token)
    [notice] = scene.mails(Notice.PASSWORD_CHANGED)
    assert notice.recipient == ADA
    assert get_not_me_link(scene.context, scene.visitor, notice.token or "").email == ADA


@pytest.mark.parametrize("current", [WRONG_PASSWORD, "", PASSWORD + " ", PASSWORD.upper(), SECOND_PASSWORD])
def test_a_wrong_current_password_changes_nothing(scene: Scene, current: str) -> None:
    identity = scene.join()
    with refused(Failure.WRONG_PASSWORD) as refusal:
        scene.change(identity, current, SECOND_PASSWORD)
    assert refusal.value.field == "current_password"
    assert scene.is_signed_in(identity)
    assert scene.log_in(ADA, PASSWORD)
    assert scene.mails(Notice.PASSWORD_CHANGED) == []


def test_a_wrong_current_password_counts_as_a_failed_login(scene: Scene, hashes: HashCounter) -> None:
    identity = scene.join()
    for _ in range(10):
        with refused(Failure.WRONG_PASSWORD):
            scene.change(identity, WRONG_PASSWORD, SECOND_PASSWORD)
    before = hashes.computed
    with refused(Failure.TOO_MANY_LOGINS):
        scene.change(identity, PASSWORD, SECOND_PASSWORD)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in()
    assert hashes.computed == before


def test_100_wrong_current_passwords_lock_the_password(scene: Scene) -> None:
    scene = scene.without_limits()
    identity = scene.join()
    for _ in range(100):
        with refused(Failure.WRONG_PASSWORD):
            scene.change(identity, WRONG_PASSWORD, SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.change(identity, PASSWORD, SECOND_PASSWORD)
    with refused(Failure.PASSWORD_LOCKED):
        scene.log_in()


def test_counters_do_not_reveal_a_locked_password(scene: Scene) -> None:
    identity = scene.join()
    scene.change_row(update(Contact).values(failed_passwords=100))
    for _ in range(10):
        with refused(Failure.WRONG_PASSWORD):
            scene.change(identity, PASSWORD, SECOND_PASSWORD)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.change(identity, PASSWORD, SECOND_PASSWORD)


@pytest.mark.parametrize("password", ["short", "password1", "Lovelace1815"])
def test_a_refused_new_password_changes_nothing_and_is_not_a_failed_login(scene: Scene, password: str) -> None:
    identity = scene.join(last_name="Lovelace")
    for _ in range(12):
        with refused(Failure.PASSWORD_REFUSED) as refusal:
            scene.change(identity, PASSWORD, password)
        assert refusal.value.field == "password"
    assert scene.is_signed_in(identity)


def test_a_former_password_is_refused_and_is_not_a_failed_login(scene: Scene) -> None:
    identity = scene.join()
    for _ in range(12):
        with refused(Failure.PASSWORD_REUSED) as refusal:
            scene.change(identity, PASSWORD, PASSWORD)
        assert refusal.value.field == "password"
    assert scene.is_signed_in(identity)
    assert scene.is_signed_in(scene.log_in())


def test_a_password_change_costs_two_hashes_however_many_former_passwords(scene: Scene, hashes: HashCounter) -> None:
    identity = scene.join()
    passwords = [PASSWORD, *(f"{SECOND_PASSWORD} {number}" for number in range(24))]
    for current, new in pairwise(passwords):
        before = hashes.computed
        identity = scene.change(identity, current, new)
        assert hashes.computed == before + 2
    for former in passwords:
        with refused(Failure.PASSWORD_REUSED):
            scene.change(identity, passwords[-1], former)


@pytest.mark.differs_on_postgresql
def test_of_two_parallel_password_changes_one_succeeds(scene: Scene) -> None:
    identity = scene.join()
    works = [lambda number=number: scene.change(identity, PASSWORD, f"{SECOND_PASSWORD} {number}") for number in (1, 2)]
    outcomes = in_parallel(works)
    alive = [outcome for outcome in outcomes if isinstance(outcome, str) and scene.is_signed_in(outcome)]
    assert len(alive) == 1
    assert len(scene.mails(Notice.PASSWORD_CHANGED)) == 1
