"""Sign-ins with a passkey that are refused."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure
from portal.domain.operations.retention import CHALLENGE_RETENTION, purge
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.passkey_requests import CHALLENGE_LIFETIME
from portal.domain.use_cases.add_passkey import request_new_passkey
from portal.domain.use_cases.reauthenticate import request_own_passkey
from portal.storage.models import Contact, UsedChallenge
from portal.storage.models import Passkey as PasskeyRow
from tests.conftest import MovableClock
from tests.domain.passkey_customer import (
    FRAMED_PARTY,
    MINUTE,
    PARTY,
    SHOP,
    add,
    ask,
    begin,
    events,
    finish,
    finish_adding,
    log_in,
)
from tests.domain.scene import Scene, refused
from tests.passkeys import Authenticator


def test_an_unknown_passkey_and_a_wrong_signature_are_answered_alike(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    request = ask(scene)
    stranger = Authenticator()
    stranger.create(request_new_passkey(scene.context, scene.get(identity), PARTY).options)
    with refused(Failure.PASSKEY_REFUSED) as unknown:
        finish(scene, request, stranger.get(request.options))
    (own,) = phone.credentials
    forged = replace(own, key=stranger.credentials[0].key)
    with refused(Failure.PASSKEY_REFUSED) as wrong:
        finish(scene, request, phone.answer(forged, request.options["challenge"]))
    handle = replace(own, user_handle=b"another customer")
    with refused(Failure.PASSKEY_REFUSED) as mismatched:
        finish(scene, request, phone.answer(handle, request.options["challenge"]))
    assert isinstance(unknown.value, UnknownPasskey)
    assert not isinstance(wrong.value, UnknownPasskey)
    assert len({one.value.message for one in (unknown, wrong, mismatched)}) == 1
    assert events(scene, EventKind.SIGN_IN_BY_PASSKEY) == [("sign_in_by_passkey", "PASSKEY_REFUSED")] * 3


def test_a_sign_in_without_a_user_handle_is_refused(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    answer = phone.get(request.options).replace('"userHandle"', '"handle"')
    with refused(Failure.PASSKEY_REFUSED):
        finish(scene, request, answer)


def test_a_passkey_of_another_organisation_is_unknown(scene: Scene, identity: str, phone: Authenticator) -> None:
    second = scene.at_another_organisation()
    second.join()
    with pytest.raises(UnknownPasskey):
        begin(second, phone)
    party = replace(PARTY, id="second.example.com", origin="https://second.example.com")
    laptop = Authenticator(origin=party.origin)
    add(second, second.log_in(), laptop, party)
    assert second.is_signed_in(log_in(second, laptop, party))
    with pytest.raises(UnknownPasskey):
        begin(scene, laptop, party)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://portal.example.com", "https://portal.example.com:8443"]
)
def test_a_page_elsewhere_gets_no_answer_that_counts(
    scene: Scene, identity: str, phone: Authenticator, origin: str
) -> None:
    phone.origin = origin
    with refused(Failure.PASSKEY_REFUSED):
        begin(scene, phone)
    request = request_new_passkey(scene.context, scene.get(identity), PARTY)
    with refused(Failure.PASSKEY_NOT_ADDED):
        finish_adding(scene, identity, request, Authenticator(origin=origin).create(request.options))


def test_a_passkey_of_another_host_is_refused(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    other_host = replace(phone.credentials[0], rp_id="evil.example")
    with refused(Failure.PASSKEY_REFUSED):
        finish(scene, request, phone.answer(other_host, request.options["challenge"]))
    adding = request_new_passkey(scene.context, scene.get(identity), PARTY)
    adding.options["rp"]["id"] = "evil.example"
    with refused(Failure.PASSKEY_NOT_ADDED):
        finish_adding(scene, identity, adding, Authenticator().create(adding.options))


def test_in_a_frame_only_listed_sites_may_ask_for_a_passkey_and_none_may_add_one(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    phone.top_origin = SHOP
    assert scene.is_signed_in(log_in(scene, phone, FRAMED_PARTY))
    with refused(Failure.PASSKEY_REFUSED):
        begin(scene, phone)
    request = request_new_passkey(scene.context, scene.get(identity), FRAMED_PARTY)
    with refused(Failure.PASSKEY_NOT_ADDED):
        credential = Authenticator(top_origin=SHOP).create(request.options)
        finish_adding(scene, identity, request, credential, FRAMED_PARTY)
    phone.top_origin = "https://evil.example"
    with refused(Failure.PASSKEY_REFUSED):
        begin(scene, phone, FRAMED_PARTY)


def test_a_passkey_whose_kind_has_changed_is_refused(scene: Scene, identity: str, phone: Authenticator) -> None:
    phone.can_sync = False
    with refused(Failure.PASSKEY_REFUSED):
        begin(scene, phone)


def test_an_answer_is_accepted_once(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    answer = phone.get(request.options)
    assert finish(scene, request, answer)
    with refused(Failure.PASSKEY_EXPIRED):
        finish(scene, request, answer)
    adding = request_new_passkey(scene.context, scene.get(identity), PARTY)
    laptop = Authenticator()
    finish_adding(scene, identity, adding, laptop.create(adding.options))
    with refused(Failure.PASSKEY_EXPIRED):
        finish_adding(scene, identity, adding, laptop.describe(laptop.credentials[0], adding.options["challenge"]))


def test_a_challenge_is_of_this_browser_of_its_kind_and_of_the_last_five_minutes(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    request, other = ask(scene), ask(scene)
    answer = phone.get(request.options)
    with refused(Failure.PASSKEY_EXPIRED):
        finish(scene, other, answer)
    own = request_own_passkey(scene.context, scene.get(identity), PARTY)
    with refused(Failure.PASSKEY_EXPIRED):
        finish(scene, own, phone.get(own.options))
    new = request_new_passkey(scene.context, scene.get(identity), PARTY)
    with refused(Failure.PASSKEY_EXPIRED):
        finish(scene, new, phone.answer(phone.credentials[0], new.options["challenge"]))
    clock.advance(CHALLENGE_LIFETIME)
    with refused(Failure.PASSKEY_EXPIRED):
        finish(scene, request, answer)
    assert scene.count(UsedChallenge) == 1  # of the passkey that was added


def test_used_challenges_are_deleted(scene: Scene, identity: str, clock: MovableClock) -> None:
    clock.advance(CHALLENGE_LIFETIME + CHALLENGE_RETENTION - MINUTE)
    assert purge(scene.context)["used_challenge"] == 0
    clock.advance(MINUTE)
    assert purge(scene.context)["used_challenge"] == 1


def test_a_banned_or_closed_customer_does_not_get_in(
    scene: Scene, identity: str, phone: Authenticator, clock: MovableClock
) -> None:
    scene.ban(duration=timedelta(days=1))
    with refused(Failure.BANNED):
        begin(scene, phone)
    clock.advance(timedelta(days=1))
    again = log_in(scene, phone)
    scene.close(again)
    with refused(Failure.PASSKEY_REFUSED):
        begin(scene, phone)
    scene.keep()
    assert scene.is_signed_in(log_in(scene, phone))


def test_an_unconfirmed_customer_does_not_get_in(scene: Scene, identity: str, phone: Authenticator) -> None:
    scene.change_row(update(Contact).values(confirmed_at=None))
    with refused(Failure.UNVERIFIED):
        begin(scene, phone)


def test_attempts_of_a_network_are_limited_but_not_those_of_a_known_browser(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    known = scene.in_browser(scene.remember(identity))
    limit = scene.context.rules.login_limit_network.amount
    for _ in range(2):
        log_in(scene, phone)  # right ones do not count
    request = ask(scene)
    wrong = phone.answer(replace(phone.credentials[0], user_handle=b"x"), request.options["challenge"])
    for _ in range(limit):
        with refused(Failure.PASSKEY_REFUSED):
            finish(scene, request, wrong)
    with refused(Failure.TOO_MANY_LOGINS):
        begin(scene, phone)
    assert known.is_signed_in(log_in(known, phone))
    assert scene.is_signed_in(log_in(scene.elsewhere("198.51.100.9"), phone))


def test_a_counter_that_goes_back_is_recorded_and_not_refused(scene: Scene) -> None:
    key = Authenticator(counts=True, can_sync=False)
    add(scene, scene.join(), key)
    for _ in range(2):
        log_in(scene, key)
    assert events(scene, EventKind.PASSKEY_COUNTER) == []
    key.credentials[0].sign_count = 0
    assert scene.is_signed_in(log_in(scene, key))
    assert events(scene, EventKind.PASSKEY_COUNTER) == [("passkey_counter", None)]
    assert scene.rows(select(PasskeyRow.c.sign_count)) == [(2,)]
