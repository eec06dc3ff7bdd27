"""What a proof of the mailbox ends: everything that began without one."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.domain.use_cases import hand_over
from portal.storage.models import Account, Contact
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, identity_of, refused

NONCE = "a-nonce-that-the-page-made-up"
Prove = Callable[[Scene], str | None]


def confirm(scene: Scene) -> str:
    return scene.join()


def confirm_in_another_browser(scene: Scene) -> str:
    scene.register()
    return scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD)


def confirm_through_the_shop(scene: Scene) -> None:
    scene.register()
    scene.via_api().confirm_by_api()


def log_in_by_email(scene: Scene) -> str:
    return scene.log_in_by_email()


def reset(scene: Scene) -> None:
    scene.reset(scene.ask_reset())


PROOFS = [confirm, confirm_in_another_browser, confirm_through_the_shop, log_in_by_email, reset]


def proven_at(scene: Scene) -> object:
    return scene.rows(select(Contact.c.proven_at))[0][0]


@pytest.mark.parametrize("prove", PROOFS)
def test_the_first_mailbox_proof_ends_sessions_of_magic_auth(scene: Scene, prove: Prove) -> None:
    shop = scene.via_api()
    vouched = [shop.magic_auth(), shop.magic_auth()]
    code = hand_over.hand_over(scene.context, scene.get(vouched[0]), NONCE)
    bonded = hand_over.redeem(shop.context, shop.visitor, code, NONCE)
    unredeemed = hand_over.hand_over(scene.context, scene.get(vouched[1]), NONCE)
    assert proven_at(scene) is None
    new = prove(scene)
    assert [scene.is_signed_in(identity) for identity in (*vouched, bonded)] == [False] * 3
    with refused(Failure.NO_SUCH_HANDOVER):
        hand_over.redeem(shop.context, shop.visitor, unredeemed, NONCE)
    assert new is None or scene.is_signed_in(new)
    assert proven_at(scene) == scene.context.clock()


@pytest.mark.parametrize("prove", PROOFS)
def test_magic_auth_after_the_first_mailbox_proof_lasts(scene: Scene, prove: Prove) -> None:
    scene.via_api().magic_auth()
    new = prove(scene)
    vouched = scene.via_api().magic_auth()
    assert scene.is_signed_in(vouched)
    assert scene.is_signed_in(scene.log_in_by_email())
    assert scene.is_signed_in(vouched)
    assert new is None or scene.is_signed_in(new)


def test_a_later_mailbox_proof_keeps_the_time_of_the_first(scene: Scene, clock: MovableClock) -> None:
    scene.join()
    first = scene.context.clock()
    clock.advance(timedelta(days=1))
    scene.log_in_by_email()
    assert proven_at(scene) == first


def test_neither_a_password_nor_magic_auth_is_a_mailbox_proof(scene: Scene) -> None:
    scene.add_imported()
    by_password = scene.log_in()
    by_word = scene.via_api().magic_auth()
    changed = scene.change(by_password, PASSWORD, SECOND_PASSWORD)
    again = scene.via_api().magic_auth()
    assert [scene.is_signed_in(one) for one in (by_password, by_word, changed, again)] == [False, False, True, True]
    assert proven_at(scene) is None
    by_mail = scene.log_in_by_email()
    assert [scene.is_signed_in(one) for one in (changed, again, by_mail)] == [False, False, True]


def test_the_first_mailbox_proof_ends_nothing_of_other_customers(scene: Scene) -> None:
    others = scene.via_api().magic_auth("eve@example.com")
    scene.join()
    assert scene.is_signed_in(others)


def test_a_refused_mailbox_proof_ends_nothing(scene: Scene) -> None:
    vouched = scene.via_api().magic_auth()
    scene.register()
    with refused(Failure.WRONG_PASSWORD):
        scene.confirm(scene.token(Notice.VERIFY), password=SECOND_PASSWORD)
    assert scene.is_signed_in(vouched)
    assert proven_at(scene) is None


def test_signing_in_by_email_reports_a_dropped_pending_registration(scene: Scene) -> None:
    scene.register()
    dropping = scene.use_sign_in_link()
    assert (scene.is_signed_in(identity_of(dropping.sign_in)), dropping.dropped_registration) == (True, True)
    assert not scene.use_sign_in_link().dropped_registration


def test_a_reset_reports_a_dropped_pending_registration(scene: Scene) -> None:
    scene.register()
    assert scene.reset(scene.ask_reset()) is True
    assert scene.reset(scene.ask_reset(), PASSWORD) is False


def test_a_decoy_is_not_reported_as_a_dropped_registration(scene: Scene) -> None:
    scene.join()
    scene.register(ADA, SECOND_PASSWORD)
    assert not scene.use_sign_in_link().dropped_registration
    scene.register(ADA, SECOND_PASSWORD)
    assert scene.reset(scene.ask_reset(), "something quite new 77") is False


@pytest.mark.parametrize("prove", [log_in_by_email, reset])
def test_the_link_of_a_dropped_registration_says_that_it_was_dropped(scene: Scene, prove: Prove) -> None:
    dropped = scene.register(ADA, SECOND_PASSWORD)
    token = scene.token(Notice.VERIFY)
    prove(scene)
    for browser in (dropped, None):
        with refused(Failure.REGISTRATION_DROPPED):
            scene.confirm(token, browser=browser, password=SECOND_PASSWORD)
    with refused(Failure.REGISTRATION_DROPPED):
        scene.via_api().confirm_by_api(token)


def test_every_link_of_a_confirmed_registration_says_that_it_was_confirmed(scene: Scene) -> None:
    registration = scene.register()
    scene.resend(registration)
    used, other = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    scene.confirm(used, browser=registration)
    for token in (used, other):
        with refused(Failure.ALREADY_CONFIRMED):
            scene.confirm(token, browser=registration)
    assert scene.rows(select(Account.c.contact_id)) != []
