import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from portal.domain import recovery_codes, second_step
from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure, Refused
from portal.domain.operations.reencrypt import reencrypt
from portal.domain.second_step import Guess, find_time_step
from portal.domain.secret_box import SecretBox, Unreadable
from portal.storage.models import RecoveryCode, SecondStep
from tests.conftest import MovableClock
from tests.domain.authenticator import STEP, Authenticator, turn_on
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import Scene, refused

RFC_6238_SECRET = base64.b32encode(b"12345678901234567890").decode()
RFC_6238 = (
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
)
"""The test vectors of RFC 6238, appendix B, for SHA-1: seconds since the epoch, and eight digits."""


@pytest.fixture
def app(scene: Scene, clock: MovableClock) -> Authenticator:
    scene.join()
    return turn_on(scene, clock)


def contact_id(scene: Scene) -> int:
    ((found,),) = scene.rows(select(SecondStep.c.contact_id))
    return int(found)


def enter(scene: Scene, code: str) -> bool:
    """Return whether a code of the customer is accepted."""
    guess = Guess(scene.visitor, contact_id(scene), code, EventKind.SIGN_IN)
    try:
        return second_step.check(scene.context, guess, lambda _connection, _contact, _now: True)
    except Refused as refusal:
        if refusal.failure is Failure.TWO_STEP_WRONG:
            return False
        raise


@pytest.mark.parametrize(("seconds", "digits"), RFC_6238)
def test_codes_are_those_of_rfc_6238(seconds: int, digits: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    assert find_time_step(RFC_6238_SECRET, digits[-6:], moment) == seconds // 30


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_one_step(scene: Scene, app: Authenticator, steps: int, accepted: bool) -> None:
    app.clock.advance(5 * STEP)
    assert enter(scene, app.code(steps)) is accepted


def test_a_used_time_step_is_never_accepted_again(scene: Scene, app: Authenticator) -> None:
    assert not enter(scene, app.code())  # it was used to set up the app
    later = app.code(1)
    assert enter(scene, later)
    assert not enter(scene, later)
    app.clock.advance(STEP)
    assert not enter(scene, later)
    assert not enter(scene, app.code(-1))
    assert enter(scene, app.next_code())


def test_spaces_and_hyphens_do_not_matter(scene: Scene, app: Authenticator) -> None:
    code = app.next_code()
    assert enter(scene, f" {code[:3]} {code[3:]} ")
    assert enter(scene, app.recovery_codes[0].upper().replace("-", " "))


def test_one_code_in_parallel_is_accepted_once(scene: Scene, app: Authenticator) -> None:
    for code in (app.next_code(), app.recovery_codes[0]):
        outcomes = in_parallel([partial(enter, scene.without_limits(), code)] * 8)
        assert outcomes.count(True) == 1
        assert outcomes.count(False) == 7


def test_a_recovery_code_works_once(scene: Scene, app: Authenticator) -> None:
    assert len(set(app.recovery_codes)) == 10
    assert [enter(scene, code) for code in (*app.recovery_codes[:2], app.recovery_codes[0])] == [True, True, False]
    with scene.context.database.read() as connection:
        status = second_step.find_status(connection, contact_id(scene))
    assert status is not None
    assert status.codes_left == 8


def test_recovery_codes_have_50_bits_or_more_and_are_stored_as_digests(scene: Scene, app: Authenticator) -> None:
    stored = scene.rows(select(RecoveryCode.c.digest))
    letters = [code.replace("-", "") for code in app.recovery_codes]
    assert {len(text) * 5 for text in letters} == {80}  # of an alphabet of 32
    assert len(recovery_codes._ALPHABET) == 32
    assert len(stored) == 10
    assert all(text.encode() not in digest for text in letters for (digest,) in stored)


def test_guesses_are_limited_per_account_and_from_each_network(scene: Scene, app: Authenticator) -> None:
    for number in range(10):
        assert not enter(scene.elsewhere(f"198.51.100.{number}"), app.wrong_code())
    with refused(Failure.TOO_MANY_LOGINS):
        enter(scene.elsewhere("198.51.100.99"), app.next_code())
    assert enter(scene.elsewhere("198.51.100.99"), app.recovery_codes[0])


def test_a_known_browser_is_counted_apart(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    known = scene.in_known_browser()
    app = turn_on(known, clock)
    for _ in range(10):
        assert not enter(scene, app.wrong_code())
    with refused(Failure.TOO_MANY_LOGINS):
        enter(scene, app.next_code())
    assert enter(known, app.next_code())


def test_a_hundred_wrong_codes_in_a_row_lock_the_app_and_not_the_recovery_codes(
    scene: Scene, app: Authenticator
) -> None:
    scene = scene.without_limits()
    for _ in range(100):
        assert not enter(scene, app.wrong_code())
    assert not enter(scene, app.next_code())
    assert enter(scene, app.recovery_codes[0])
    assert enter(scene, app.next_code())


def test_a_right_code_is_not_counted(scene: Scene, app: Authenticator) -> None:
    for _ in range(12):
        assert enter(scene, app.next_code())
    assert scene.rows(select(SecondStep.c.failed_codes)) == [(0,)]


def test_the_secret_is_encrypted(scene: Scene, app: Authenticator) -> None:
    ((sealed,),) = scene.rows(select(SecondStep.c.secret))
    assert app.secret not in sealed
    assert scene.context.secret_box.open(contact_id(scene), sealed) == app.secret
    with pytest.raises(Unreadable):
        scene.context.secret_box.open(contact_id(scene) + 1, sealed)


def test_keys_can_be_rotated(scene: Scene, app: Authenticator) -> None:
    old = scene.context.secret_box
    former = "Xq3vN8rT1yLw6ZkP0sHd5JbG9cFm2AeU-for-tests"
    current = "another-key-0sHd5JbG9cFm2AeU-Xq3vN8rT1yLw6ZkP"

    def with_keys(*keys: str) -> Scene:
        return replace(scene, context=replace(scene.context, secret_box=SecretBox(keys)))

    assert SecretBox([former]).key_id == old.key_id
    assert enter(with_keys(former, current), app.next_code())
    assert not enter(with_keys(current), app.next_code())
    assert reencrypt(with_keys(current).context) == 0
    assert reencrypt(with_keys(former, current).context) == 1
    assert reencrypt(with_keys(former, current).context) == 0
    assert enter(with_keys(current), app.next_code())


def test_a_secret_that_cannot_be_decrypted_leaves_the_recovery_codes(
    scene: Scene, app: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    scene.change_row(update(SecondStep).values(secret="nothing"))
    assert not enter(scene, app.next_code())
    assert "cannot be decrypted" in caplog.text
    assert enter(scene, app.recovery_codes[0])


def test_no_secret_stands_in_a_repr(scene: Scene, app: Authenticator) -> None:
    set_up = second_step.Guess(scene.visitor, 1, app.code(), EventKind.SIGN_IN)
    assert app.code() not in repr(set_up)
    assert "Fernet" not in repr(scene.context.secret_box)


def test_a_code_ends_with_its_time(scene: Scene, app: Authenticator) -> None:
    code = app.next_code()
    app.clock.advance(timedelta(minutes=2))
    assert not enter(scene, code)
