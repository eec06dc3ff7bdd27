"""Passkeys are added, named, used and removed."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from portal.domain.audit_log import EventKind
from portal.domain.identities import SessionEnded
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.passkey_requests import PasskeyResponse
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated, require_recent_authentication
from portal.domain.sign_ins import PendingSignIn, SignInEnded
from portal.domain.use_cases.add_passkey import add_passkey, request_new_passkey
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.pass_two_step import pass_two_step
from portal.domain.use_cases.reauthenticate import request_own_passkey
from portal.domain.use_cases.remove_passkey import remove_passkey
from portal.domain.use_cases.rename_passkey import rename_passkey
from portal.storage.models import Event, Identity, OutboxMail, UsedChallenge
from portal.storage.models import Passkey as PasskeyRow
from tests.conftest import MovableClock
from tests.domain import authenticator as authenticator_app
from tests.domain.passkey_customer import (
    MINUTE,
    PARTY,
    add,
    ask,
    begin,
    clock_of,
    events,
    finish,
    finish_adding,
    log_in,
    passkeys_of,
)
from tests.domain.scene import ADA, Scene
from tests.passkeys import Authenticator


def test_a_passkey_signs_in_without_more(scene: Scene, identity: str, phone: Authenticator) -> None:
    again = log_in(scene, phone)
    assert scene.get(again).id == scene.get(identity).id
    require_recent_authentication(scene.context, scene.get(again))
    assert events(scene, EventKind.SIGN_IN_BY_PASSKEY) == [("sign_in_by_passkey", None)]


def test_a_sign_in_replaces_the_session_of_its_browser(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    again = finish(scene, request, phone.get(request.options), remember=True, replacing=identity)
    assert isinstance(again, str)
    assert not scene.is_signed_in(identity)
    assert scene.rows(select(Identity.c.remember).where(Identity.c.ended_at.is_(None))) == [(True,)]


def test_asking_for_a_passkey_stores_nothing(scene: Scene, identity: str) -> None:
    before = [scene.count(table) for table in (UsedChallenge, Event, PasskeyRow)]
    customer = scene.get(identity)
    options = ask(scene).options
    request_new_passkey(scene.context, customer, PARTY)
    request_own_passkey(scene.context, customer, PARTY)
    assert [scene.count(table) for table in (UsedChallenge, Event, PasskeyRow)] == before
    assert (options["allowCredentials"], options["userVerification"]) == ([], "preferred")
    assert options["rpId"] == PARTY.id
    assert options["timeout"] == 300_000


def test_a_new_passkey_is_asked_for_as_it_should_be(scene: Scene, identity: str, phone: Authenticator) -> None:
    customer = scene.get(identity)
    request = request_new_passkey(scene.context, customer, PARTY)
    options = request.options
    assert options["attestation"] == "none"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "preferred",
    }
    assert [one["alg"] for one in options["pubKeyCredParams"]] == [-8, -7, -257]
    assert (options["user"]["name"], options["rp"]) == (ADA, {"name": "Example shop", "id": PARTY.id})
    (known,) = passkeys_of(scene, identity)
    assert [one["id"] for one in options["excludeCredentials"]] == [known.credential_id]
    assert options["user"]["id"] == known.user_handle
    with pytest.raises(ValueError, match="InvalidStateError"):
        phone.create(options)
    assert request.challenge not in repr(request)


def test_all_passkeys_of_a_customer_have_one_user_handle_which_says_nothing(scene: Scene, identity: str) -> None:
    add(scene, identity, Authenticator())
    other = scene.join("grace@example.com")
    add(scene, other, Authenticator())
    mine = {one.user_handle for one in passkeys_of(scene, identity)}
    assert len(mine) == 1
    assert mine.isdisjoint({one.user_handle for one in passkeys_of(scene, other)})
    assert all(len(one) == 43 for one in mine)


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_each_algorithm_works(scene: Scene, algorithm: int) -> None:
    key = Authenticator(algorithm=algorithm)
    add(scene, scene.join(), key)
    assert scene.is_signed_in(log_in(scene, key))


def test_a_passkey_is_named_after_its_provider_until_it_is_renamed(scene: Scene, identity: str) -> None:
    unknown = add(scene, identity, Authenticator(is_synced=False))
    listed = passkeys_of(scene, identity)
    assert [(one.name, one.provider, one.is_synced) for one in listed] == [
        (None, None, False),
        ("Google Password Manager", "Google Password Manager", True),
    ]
    assert rename_passkey(scene.context, scene.visitor, scene.get(identity), unknown.id, "Blue key")
    renamed = passkeys_of(scene, identity)[0]
    assert renamed == replace(unknown, name="Blue key")
    assert events(scene, EventKind.PASSKEY_RENAME) == [("passkey_rename", None)]


def test_the_use_of_a_passkey_is_noted(scene: Scene, identity: str, phone: Authenticator, clock: MovableClock) -> None:
    clock.advance(MINUTE)
    phone.is_synced = False
    log_in(scene, phone)
    (one,) = passkeys_of(scene, identity)
    assert (one.last_used_at, one.is_synced) == (clock.now, False)


def test_adding_and_removing_need_a_recent_proof(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    customer, laptop = scene.get(identity), Authenticator()
    request = request_new_passkey(scene.context, customer, PARTY)
    credential = laptop.create(request.options)
    clock.advance(RECENT)
    with pytest.raises(NotRecentlyAuthenticated):
        request_new_passkey(scene.context, customer, PARTY)
    with pytest.raises(NotRecentlyAuthenticated):
        finish_adding(scene, identity, request, credential)
    with pytest.raises(NotRecentlyAuthenticated):
        remove_passkey(scene.context, scene.visitor, customer, passkeys_of(scene, identity)[0].id)
    assert scene.count(PasskeyRow) == 1


def test_a_session_that_has_ended_meanwhile_changes_nothing(scene: Scene, identity: str) -> None:
    customer = scene.get(identity)
    request = request_new_passkey(scene.context, customer, PARTY)
    credential = Authenticator().create(request.options)
    scene.log_out(identity)
    with pytest.raises(SessionEnded):
        add_passkey(scene.context, scene.visitor, customer, PasskeyResponse(PARTY, [request.challenge], credential))
    with pytest.raises(SessionEnded):
        remove_passkey(scene.context, scene.visitor, customer, 1)
    assert scene.count(PasskeyRow) == 1


def test_both_send_an_email_and_are_recorded(scene: Scene, identity: str) -> None:
    (one,) = passkeys_of(scene, identity)
    rename_passkey(scene.context, scene.visitor, scene.get(identity), one.id, "evil.example")
    removed = remove_passkey(scene.context, scene.visitor, scene.get(identity), one.id)
    assert removed == replace(one, name="evil.example")
    told = scene.rows(
        select(OutboxMail.c.notice, OutboxMail.c.details).where(
            OutboxMail.c.notice.in_(["passkey_added", "passkey_removed"])
        )
    )
    where = {"provider": "Google Password Manager"}
    assert told == [("passkey_added", where), ("passkey_removed", where)]
    assert events(scene, EventKind.PASSKEY_ADD, EventKind.PASSKEY_REMOVE) == [
        ("passkey_add", None),
        ("passkey_remove", None),
    ]


def test_a_removed_passkey_is_dead_at_once(scene: Scene, identity: str, phone: Authenticator) -> None:
    app = authenticator_app.turn_on(scene, clock_of(scene))
    session = scene.get(log_in(scene, phone))
    phone.verifies_user = False
    pending = begin(scene, phone)
    assert isinstance(pending, PendingSignIn)
    request = ask(scene)
    answer = phone.get(request.options)
    (one,) = get_security(scene.context, session).passkeys
    assert remove_passkey(scene.context, scene.visitor, session, one.id) == one
    with pytest.raises(UnknownPasskey):
        finish(scene, request, answer)
    with pytest.raises(SignInEnded):
        pass_two_step(scene.context, scene.visitor, pending.value, app.next_code(), replacing=None)
    assert remove_passkey(scene.context, scene.visitor, session, one.id) is None


def test_of_others_no_passkey_is_renamed_or_removed(scene: Scene, identity: str, phone: Authenticator) -> None:
    (one,) = passkeys_of(scene, identity)
    stranger = scene.get(scene.join("grace@example.com"))
    assert not rename_passkey(scene.context, scene.visitor, stranger, one.id, "Mine")
    assert remove_passkey(scene.context, scene.visitor, stranger, one.id) is None
    assert passkeys_of(scene, identity) == (one,)
