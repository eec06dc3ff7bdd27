"""Customers without a password, and a lost or stolen passkey."""

import pytest

from portal.domain.customer_data import export_customer
from portal.domain.outbox import Notice
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.recent_authentication import RECENT
from portal.domain.sign_ins import PendingSignIn
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.get_account_overview import get_account_overview
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.remove_passkey import remove_passkey
from portal.domain.use_cases.set_first_password import set_first_password
from portal.storage.models import Passkey as PasskeyRow
from tests.conftest import MovableClock
from tests.domain import authenticator as authenticator_app
from tests.domain.passkey_customer import MINUTE, add, begin, log_in, passkeys_of, prove
from tests.domain.scene import PASSWORD, SECOND_PASSWORD, Scene
from tests.domain.use_cases.address_change import change, undo
from tests.passkeys import Authenticator


def test_a_customer_without_password_is_a_whole_one(
    scene: Scene, without_password: str, phone: Authenticator, clock: MovableClock
) -> None:
    security = get_security(scene.context, scene.get(without_password))
    assert (security.has_password, len(security.passkeys)) == (False, 1)
    assert get_account_overview(scene.context, scene.get(without_password), {}).has_passkey
    clock.advance(RECENT)
    proved = prove(scene, without_password, phone)
    assert proved is not None
    change(scene, proved)
    moved = log_in(scene, phone)
    with_password = set_first_password(scene.context, scene.visitor, scene.get(moved), PASSWORD, remember=False)
    assert len(passkeys_of(scene, with_password)) == 1
    assert scene.close(log_in(scene, phone))


def test_a_change_or_reset_of_the_password_keeps_passkeys(scene: Scene, identity: str, phone: Authenticator) -> None:
    change_password(scene.context, scene.visitor, scene.get(identity), PASSWORD, SECOND_PASSWORD, remember=False)
    assert scene.is_signed_in(log_in(scene, phone))
    scene.reset(scene.ask_reset(), "ember walnut glacier 58")
    assert scene.is_signed_in(log_in(scene, phone))


def test_a_lost_passkey_is_removed_after_signing_in_by_email(
    scene: Scene, without_password: str, phone: Authenticator
) -> None:
    session = scene.get(scene.log_in_by_email())
    (lost,) = get_security(scene.context, session).passkeys
    assert remove_passkey(scene.context, scene.visitor, session, lost.id) == lost
    with pytest.raises(UnknownPasskey):
        begin(scene, phone)


def test_an_emailed_link_does_not_get_past_a_second_step_for_a_passkey(
    scene: Scene, identity: str, clock: MovableClock
) -> None:
    authenticator_app.turn_on(scene, clock)
    assert isinstance(scene.use_sign_in_link().sign_in, PendingSignIn)


def test_this_was_not_me_removes_all_passkeys(scene: Scene, identity: str, phone: Authenticator) -> None:
    scene.report_not_me(scene.token(Notice.PASSKEY_ADDED))
    assert scene.count(PasskeyRow) == 0
    with pytest.raises(UnknownPasskey):
        begin(scene, phone)


def test_undoing_a_change_of_address_removes_newer_passkeys(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    clock.advance(MINUTE)
    token = change(scene, identity)
    clock.advance(MINUTE)
    laptop = Authenticator()
    add(scene, identity, laptop)
    undo(scene, token)
    with pytest.raises(UnknownPasskey):
        begin(scene, laptop)
    assert scene.is_signed_in(log_in(scene, phone))


def test_an_export_has_names_and_dates_and_no_keys(scene: Scene, identity: str, phone: Authenticator) -> None:
    log_in(scene, phone)
    with scene.context.database.read() as connection:
        exported = export_customer(connection, scene.get(identity).id)
    assert exported["passkeys"] == [
        {
            "name": "Google Password Manager",
            "aaguid": "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4",
            "transports": ["internal", "hybrid"],
            "isSynced": True,
            "createdAt": "2026-03-01T12:00:00Z",
            "lastUsedAt": "2026-03-01T12:00:00Z",
        }
    ]
