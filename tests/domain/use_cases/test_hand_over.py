"""A hand-over code works once, within a minute, for the right organisation, with the right nonce."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import update

from portal.domain import identities
from portal.domain.errors import Failure, Refused
from portal.domain.operations.retention import purge
from portal.domain.rate_limiter import RateLimitExceeded
from portal.domain.use_cases import hand_over as handing_over
from portal.storage.models import Handover
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused

NONCE = "made-up-by-the-page_22"
ANOTHER = "made-up-by-another-page"


def hand_over(scene: Scene, identity: str, nonce: str = NONCE) -> str:
    return handing_over.hand_over(scene.context, scene.get(identity), nonce)


def redeem(scene: Scene, code: str, nonce: str = NONCE) -> str:
    return handing_over.redeem(scene.context, scene.visitor, code, nonce)


def test_a_code_gives_a_new_identity_of_the_same_customer(scene: Scene) -> None:
    frame = scene.join()
    shop = redeem(scene, hand_over(scene, frame))
    assert shop != frame
    assert scene.get(shop).email == ADA
    assert scene.is_signed_in(frame)


@pytest.mark.parametrize("ended_first", ["frame", "shop"])
def test_signing_out_of_either_identity_ends_both(scene: Scene, ended_first: str) -> None:
    frame = scene.join()
    shop = redeem(scene, hand_over(scene, frame))
    another = redeem(scene, hand_over(scene, frame))
    scene.log_out({"frame": frame, "shop": shop}[ended_first])
    assert [scene.is_signed_in(identity) for identity in (frame, shop, another)] == [False] * 3


def test_signing_out_keeps_other_session_families_of_the_customer(scene: Scene) -> None:
    frame = scene.join()
    elsewhere = scene.log_in()
    scene.log_out(redeem(scene, hand_over(scene, frame)))
    assert scene.is_signed_in(elsewhere)


def test_a_used_code_is_refused(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    redeem(scene, code)
    with refused(Failure.NO_SUCH_HANDOVER):
        redeem(scene, code)


@pytest.mark.differs_on_postgresql
def test_of_parallel_uses_of_a_code_one_succeeds(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    barrier, results = Barrier(8), list[str]()

    def use() -> None:
        barrier.wait()
        try:
            results.append(redeem(scene, code))
        except Refused as refusal:
            results.append(refusal.failure.name)

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(results), results.count("NO_SUCH_HANDOVER")) == (8, 7)


def test_a_code_lasts_a_minute(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    code, late = hand_over(scene, identity), hand_over(scene, identity)
    clock.advance(timedelta(seconds=59))
    redeem(scene, code)
    clock.advance(timedelta(seconds=1))
    with refused(Failure.HANDOVER_EXPIRED):
        redeem(scene, late)


def test_a_wrong_nonce_is_refused_and_the_code_stays_valid(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    for nonce in (ANOTHER, "", NONCE[:-1], NONCE.upper()):
        with refused(Failure.NO_SUCH_HANDOVER):
            redeem(scene, code, nonce)
    redeem(scene, code)


def test_a_code_of_another_organisation_is_refused(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    with refused(Failure.NO_SUCH_HANDOVER):
        redeem(scene.at_another_organisation(), code)


@pytest.mark.parametrize("code", ["", "x" * 32, "\ud800", "ř" * 5000])
def test_a_code_that_was_never_issued_is_refused(scene: Scene, code: str) -> None:
    with refused(Failure.NO_SUCH_HANDOVER):
        redeem(scene, code)


def test_a_code_ends_with_its_identity(scene: Scene) -> None:
    identity = scene.join()
    code = hand_over(scene, identity)
    scene.log_out(identity)
    with refused(Failure.NO_SUCH_HANDOVER):
        redeem(scene, code)


def test_a_code_ends_with_a_ban(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    scene.ban()
    with refused(Failure.NO_SUCH_HANDOVER):
        redeem(scene, code)


def test_a_password_change_ends_handed_over_identities(scene: Scene) -> None:
    frame = scene.join()
    shop = redeem(scene, hand_over(scene, frame))
    renewed = scene.change(frame, PASSWORD, SECOND_PASSWORD)
    assert not scene.is_signed_in(shop)
    assert scene.is_signed_in(renewed)


def test_a_handed_over_identity_expires_with_the_original(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    kept = redeem(scene, hand_over(scene, scene.log_in(remember=True)))
    short = redeem(scene, hand_over(scene, scene.log_in()))
    clock.advance(identities.SHORT_IDLE)
    assert scene.is_signed_in(kept)
    assert not scene.is_signed_in(short)


def test_a_sign_in_is_handed_over_once_to_each_page(scene: Scene) -> None:
    customer = scene.get(scene.join())
    code = handing_over.hand_over_once(scene.context, customer, NONCE)
    assert code is not None
    assert handing_over.hand_over_once(scene.context, customer, NONCE) is None
    assert redeem(scene, code)
    assert handing_over.hand_over_once(scene.context, customer, NONCE) is None


def test_each_page_and_each_sign_in_gets_a_code(scene: Scene) -> None:
    customer = scene.get(scene.join())
    for who, nonce in ((customer, NONCE), (customer, ANOTHER), (scene.get(scene.log_in()), NONCE)):
        code = handing_over.hand_over_once(scene.context, who, nonce)
        assert code is not None
        assert scene.get(redeem(scene, code, nonce)).email == ADA


@pytest.mark.parametrize("nonce", ["x" * 22, "x" * 128, "Az09_-" * 4])
def test_a_nonce_has_22_to_128_characters_of_base64url(scene: Scene, nonce: str) -> None:
    assert handing_over.is_nonce(nonce)
    assert redeem(scene, hand_over(scene, scene.join(), nonce), nonce)


NO_NONCES = ["", "x" * 21, "x" * 129, "x" * 22 + "\n", "\u0665" * 22, "\u00e9" * 22, "x" * 21 + "+", " " + "x" * 22]


@pytest.mark.parametrize("text", NO_NONCES, ids=ascii)
def test_nothing_is_handed_over_without_a_nonce(scene: Scene, text: str) -> None:
    identity = scene.join()
    assert not handing_over.is_nonce(text)
    with pytest.raises(ValueError, match="nonce"):
        hand_over(scene, identity, text)
    with pytest.raises(ValueError, match="nonce"):
        handing_over.hand_over_once(scene.context, scene.get(identity), text)
    assert scene.count(Handover) == 0


def test_a_code_without_a_nonce_from_an_earlier_version_is_refused(scene: Scene) -> None:
    code = hand_over(scene, scene.join())
    for stored in ("", "short"):
        with scene.context.database.write() as connection:
            connection.execute(update(Handover).values(nonce=stored))
        with refused(Failure.NO_SUCH_HANDOVER):
            redeem(scene, code, stored)


def test_codes_are_limited_for_each_customer_over_all_sign_ins(scene: Scene) -> None:
    customers = [scene.get(scene.join()), scene.get(scene.log_in())]
    for number in range(100):
        handing_over.hand_over(scene.context, customers[number % 2], f"{NONCE}{number}")
    for customer in customers:
        with pytest.raises(RateLimitExceeded) as throttled:
            handing_over.hand_over(scene.context, customer, NONCE)
        assert 0 < throttled.value.retry_after <= 600
        with pytest.raises(RateLimitExceeded):
            handing_over.hand_over_once(scene.context, customer, NONCE)
    assert scene.count(Handover) == 100
    other = scene.get(scene.join("eve@example.com"))
    assert handing_over.hand_over(scene.context, other, NONCE)


def test_a_page_that_gets_no_code_is_not_counted(scene: Scene) -> None:
    customer = scene.get(scene.join())
    codes = [handing_over.hand_over_once(scene.context, customer, NONCE) for _ in range(110)]
    assert codes[0] is not None
    assert codes[1:] == [None] * 109
    assert handing_over.hand_over_once(scene.context, customer, ANOTHER)


def test_old_codes_are_deleted(scene: Scene, clock: MovableClock) -> None:
    hand_over(scene, scene.join())
    clock.advance(timedelta(days=2))
    assert purge(scene.context)["handover"] == 1
    assert scene.count(Handover) == 0
