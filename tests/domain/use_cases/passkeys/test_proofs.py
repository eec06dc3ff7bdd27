"""What a passkey proves: at sign-in, and as recent authentication."""

import pytest
from sqlalchemy import select, update

from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure, Refused
from portal.domain.passkey_requests import PasskeyResponse
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated, require_recent_authentication
from portal.domain.sign_ins import PendingSignIn
from portal.domain.use_cases.add_passkey import request_new_passkey
from portal.domain.use_cases.pass_two_step import pass_two_step
from portal.domain.use_cases.reauthenticate import reauthenticate_by_passkey, request_own_passkey
from portal.storage.models import Event, Organisation
from tests.conftest import MovableClock
from tests.domain import authenticator as authenticator_app
from tests.domain.passkey_customer import PARTY, add, begin, events, log_in, passkeys_of, prove
from tests.domain.scene import Scene, refused
from tests.passkeys import Authenticator


def test_a_passkey_that_verifies_its_user_needs_no_second_step(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    app = authenticator_app.turn_on(scene, clock)
    session = scene.get(log_in(scene, phone))
    require_recent_authentication(scene.context, session)
    phone.verifies_user = False
    pending = begin(scene, phone)
    assert isinstance(pending, PendingSignIn)
    assert not pending.must_set_up
    finished = pass_two_step(scene.context, scene.visitor, pending.value, app.next_code(), replacing=None)
    assert scene.is_signed_in(finished.identity)
    assert ("sign_in_by_passkey", None) in events(scene, EventKind.SIGN_IN_BY_PASSKEY)


def test_wrong_codes_of_an_app_never_lock_a_passkey(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    app = authenticator_app.turn_on(scene, clock)
    pending = scene.begin_log_in()
    assert isinstance(pending, PendingSignIn)
    for _ in range(scene.context.rules.login_limit_account.amount + 1):
        with pytest.raises(Refused):
            pass_two_step(scene.context, scene.visitor, pending.value, app.wrong_code(), replacing=None)
    assert scene.is_signed_in(log_in(scene, phone))


def test_where_a_second_step_is_required_a_verified_passkey_is_enough(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    scene.change_row(update(Organisation).values(require_two_step="required"))
    assert scene.is_signed_in(log_in(scene, phone))
    phone.verifies_user = False
    pending = begin(scene, phone)
    assert isinstance(pending, PendingSignIn)
    assert pending.must_set_up


def test_a_passkey_proves_both_steps_if_it_verifies_its_user(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    authenticator_app.turn_on(scene, clock)
    clock.advance(RECENT)
    phone.verifies_user = False
    first = prove(scene, identity, phone)
    assert first is not None
    assert not scene.is_signed_in(identity)
    with pytest.raises(NotRecentlyAuthenticated):
        require_recent_authentication(scene.context, scene.get(first))
    phone.verifies_user = True
    second = prove(scene, first, phone)
    assert second is not None
    require_recent_authentication(scene.context, scene.get(second))


def test_only_the_customers_own_passkey_proves_it(scene: Scene, identity: str, phone: Authenticator) -> None:
    other = scene.join("grace@example.com")
    laptop = Authenticator()
    add(scene, other, laptop)
    own = request_own_passkey(scene.context, scene.get(other), PARTY)
    assert [one["id"] for one in own.options["allowCredentials"]] == [passkeys_of(scene, other)[0].credential_id]
    assert own.options["allowCredentials"][0]["transports"] == ["internal", "hybrid"]
    answer = phone.answer(phone.credentials[0], own.options["challenge"])
    with refused(Failure.PASSKEY_REFUSED):
        reauthenticate_by_passkey(
            scene.context, scene.visitor, scene.get(other), PasskeyResponse(PARTY, [own.challenge], answer)
        )
    assert prove(scene, other, laptop)
    assert events(scene, EventKind.REAUTHENTICATION) == [
        ("reauthentication", "PASSKEY_REFUSED"),
        ("reauthentication", None),
    ]


def test_a_refused_proof_is_recorded_where_it_was_tried(scene: Scene, identity: str, phone: Authenticator) -> None:
    """Neither in the account of another customer, nor with an unknown passkey."""
    other = scene.join("grace@example.com")
    customer = scene.get(other)
    stranger = Authenticator()
    stranger.create(request_new_passkey(scene.context, scene.get(identity), PARTY).options)
    for keys in (phone, stranger):
        own = request_own_passkey(scene.context, customer, PARTY)
        answer = keys.answer(keys.credentials[0], own.options["challenge"])
        with refused(Failure.PASSKEY_REFUSED):
            reauthenticate_by_passkey(
                scene.context, scene.visitor, customer, PasskeyResponse(PARTY, [own.challenge], answer)
            )
    recorded = scene.rows(select(Event.c.contact_id).where(Event.c.kind == EventKind.REAUTHENTICATION))
    assert [contact_id for (contact_id,) in recorded] == [customer.id] * 2


def test_a_proof_in_a_session_that_has_ended_proves_nothing(scene: Scene, identity: str, phone: Authenticator) -> None:
    customer = scene.get(identity)
    own = request_own_passkey(scene.context, customer, PARTY)
    scene.log_out(identity)
    answer = phone.get(own.options)
    context, visitor = scene.context, scene.visitor
    assert (
        reauthenticate_by_passkey(context, visitor, customer, PasskeyResponse(PARTY, [own.challenge], answer)) is None
    )
