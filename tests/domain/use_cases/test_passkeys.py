"""Passkeys are added, used, renamed and removed: who gets in with them, and what goes with them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from portal.domain.audit_log import EventKind
from portal.domain.customer_data import export_customer
from portal.domain.errors import Failure, Refused
from portal.domain.identities import SessionEnded
from portal.domain.operations.retention import CHALLENGE_RETENTION, purge
from portal.domain.outbox import Notice
from portal.domain.passkey_check import UnknownPasskey
from portal.domain.passkey_requests import CHALLENGE_LIFETIME
from portal.domain.passkeys import MAX_PASSKEYS, Passkey
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated, require_recent_authentication
from portal.domain.sign_ins import PendingSignIn, SignInEnded
from portal.domain.use_cases.add_passkey import add_passkey, request_new_passkey
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.get_account_overview import get_account_overview
from portal.domain.use_cases.get_security import get_security
from portal.domain.use_cases.pass_two_step import pass_two_step
from portal.domain.use_cases.reauthenticate import reauthenticate_by_passkey, request_own_passkey
from portal.domain.use_cases.remove_passkey import remove_passkey
from portal.domain.use_cases.rename_passkey import rename_passkey
from portal.domain.use_cases.set_first_password import set_first_password
from portal.storage.models import Contact, Event, Identity, Organisation, OutboxMail, UsedChallenge
from portal.storage.models import Passkey as PasskeyRow
from portal.storage.models import PendingSignIn as PendingSignInRow
from tests.conftest import MovableClock
from tests.domain import authenticator as authenticator_app
from tests.domain.instrumentation import in_parallel
from tests.domain.passkey_customer import (
    FRAMED_PARTY,
    PARTY,
    SHOP,
    add,
    ask,
    begin,
    finish,
    finish_adding,
    log_in,
    prove,
)
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import change, undo
from tests.passkeys import Authenticator

GOOGLE = bytes.fromhex("ea9b8d664d011d213ce4b6b48cb575d4")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def phone() -> Authenticator:
    return Authenticator(aaguid=GOOGLE)


@pytest.fixture
def identity(scene: Scene, phone: Authenticator) -> str:
    """A session of a customer who has a passkey on the phone."""
    identity = scene.join()
    add(scene, identity, phone)
    return identity


def passkeys_of(scene: Scene, identity: str) -> tuple[Passkey, ...]:
    return get_security(scene.context, scene.get(identity)).passkeys


def events(scene: Scene, *kinds: EventKind) -> list[tuple[str, str | None]]:
    """The events of these kinds, with what they were refused for."""
    found = scene.rows(select(Event.kind, Event.refusal).where(Event.kind.in_(kinds)).order_by(Event.id))
    return [(kind, refusal) for kind, refusal in found]


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
    assert scene.rows(select(Identity.remember).where(Identity.ended_at.is_(None))) == [(True,)]


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
        add_passkey(scene.context, scene.visitor, customer, PARTY, [request.challenge], credential)
    with pytest.raises(SessionEnded):
        remove_passkey(scene.context, scene.visitor, customer, 1)
    assert scene.count(PasskeyRow) == 1


def test_both_are_told_by_email_and_recorded(scene: Scene, identity: str) -> None:
    (one,) = passkeys_of(scene, identity)
    rename_passkey(scene.context, scene.visitor, scene.get(identity), one.id, "evil.example")
    removed = remove_passkey(scene.context, scene.visitor, scene.get(identity), one.id)
    assert removed == replace(one, name="evil.example")
    told = scene.rows(
        select(OutboxMail.notice, OutboxMail.details).where(OutboxMail.notice.in_(["passkey_added", "passkey_removed"]))
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


def clock_of(scene: Scene) -> MovableClock:
    clock = scene.context.clock
    assert isinstance(clock, MovableClock)
    return clock


def test_of_others_no_passkey_is_renamed_or_removed(scene: Scene, identity: str, phone: Authenticator) -> None:
    (one,) = passkeys_of(scene, identity)
    stranger = scene.get(scene.join("grace@example.com"))
    assert not rename_passkey(scene.context, scene.visitor, stranger, one.id, "Mine")
    assert remove_passkey(scene.context, scene.visitor, stranger, one.id) is None
    assert passkeys_of(scene, identity) == (one,)


# --- who does not get in


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
    handle = replace(own, user_handle=b"somebody else's")
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


def test_in_a_frame_only_listed_sites_may_ask_and_nobody_to_add(
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
    assert scene.rows(select(PasskeyRow.sign_count)) == [(2,)]


# --- the second step


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


# --- recent authentication


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
        reauthenticate_by_passkey(scene.context, scene.visitor, scene.get(other), PARTY, [own.challenge], answer)
    assert prove(scene, other, laptop)
    assert events(scene, EventKind.REAUTHENTICATION) == [
        ("reauthentication", "PASSKEY_REFUSED"),
        ("reauthentication", None),
    ]


def test_a_refused_proof_is_recorded_where_it_was_tried(scene: Scene, identity: str, phone: Authenticator) -> None:
    """Not in the account of the passkey, whose owner has nothing to do with it; and an unknown passkey as well."""
    other = scene.join("grace@example.com")
    customer = scene.get(other)
    stranger = Authenticator()
    stranger.create(request_new_passkey(scene.context, scene.get(identity), PARTY).options)
    for keys in (phone, stranger):
        own = request_own_passkey(scene.context, customer, PARTY)
        answer = keys.answer(keys.credentials[0], own.options["challenge"])
        with refused(Failure.PASSKEY_REFUSED):
            reauthenticate_by_passkey(scene.context, scene.visitor, customer, PARTY, [own.challenge], answer)
    recorded = scene.rows(select(Event.contact_id).where(Event.kind == EventKind.REAUTHENTICATION))
    assert [contact_id for (contact_id,) in recorded] == [customer.id] * 2


def test_a_proof_in_a_session_that_has_ended_proves_nothing(scene: Scene, identity: str, phone: Authenticator) -> None:
    customer = scene.get(identity)
    own = request_own_passkey(scene.context, customer, PARTY)
    scene.log_out(identity)
    answer = phone.get(own.options)
    context, visitor = scene.context, scene.visitor
    assert reauthenticate_by_passkey(context, visitor, customer, PARTY, [own.challenge], answer) is None


# --- a customer with a passkey and no password


@pytest.fixture
def without_password(scene: Scene, phone: Authenticator) -> str:
    """A session of a customer who has a passkey and no password."""
    scene.add_guest()
    add(scene, scene.log_in_by_email(), phone)
    return log_in(scene, phone)


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


# --- the way back


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


# --- at the same moment


@pytest.mark.differs_on_postgresql
def test_nobody_has_more_than_twenty(scene: Scene, identity: str) -> None:
    for _ in range(MAX_PASSKEYS - 2):
        add(scene, identity, Authenticator())
    requests = [request_new_passkey(scene.context, scene.get(identity), PARTY) for _ in range(4)]
    works = [
        partial(finish_adding, scene, identity, request, Authenticator().create(request.options))
        for request in requests
    ]
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    failures = {outcome.failure for outcome in outcomes if isinstance(outcome, Refused)}
    assert (failures, scene.count(PasskeyRow)) == ({Failure.TOO_MANY_PASSKEYS}, MAX_PASSKEYS)
    with refused(Failure.TOO_MANY_PASSKEYS):
        request_new_passkey(scene.context, scene.get(identity), PARTY)


@pytest.mark.differs_on_postgresql
def test_two_first_passkeys_at_once_have_one_user_handle(scene: Scene) -> None:
    identities = scene.join(), scene.log_in()
    works = []
    for identity in identities:
        request = request_new_passkey(scene.context, scene.get(identity), PARTY)
        works.append(partial(finish_adding, scene, identity, request, Authenticator().create(request.options)))
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert (failures, scene.count(PasskeyRow)) == ([Failure.PASSKEY_NOT_ADDED], 1)


@pytest.mark.differs_on_postgresql
def test_one_credential_is_added_once(scene: Scene) -> None:
    """By two customers, one of whom has copied what the other's authenticator sent."""
    works, key = [], Authenticator()
    for email in (ADA, "grace@example.com"):
        identity = scene.join(email)
        request = request_new_passkey(scene.context, scene.get(identity), PARTY)
        if not key.credentials:
            key.create(request.options)
        credential = key.describe(key.credentials[0], request.options["challenge"])
        works.append(partial(finish_adding, scene, identity, request, credential))
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, Passkey) for outcome in outcomes) == 1
    assert [one.failure for one in outcomes if isinstance(one, Refused)] == [Failure.PASSKEY_NOT_ADDED]


@pytest.mark.differs_on_postgresql
def test_one_answer_signs_in_once(scene: Scene, identity: str, phone: Authenticator) -> None:
    request = ask(scene)
    answer = phone.get(request.options)
    before = scene.count(Identity)
    outcomes = in_parallel([partial(finish, scene, request, answer)] * 4)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
    assert (failures, scene.count(Identity)) == ([Failure.PASSKEY_EXPIRED] * 3, before + 1)


@pytest.mark.differs_on_postgresql
def test_a_passkey_removed_while_it_signs_in_has_one_outcome(scene: Scene, identity: str, phone: Authenticator) -> None:
    (one,) = passkeys_of(scene, identity)
    request = ask(scene)
    signing_in = partial(finish, scene, request, phone.get(request.options))
    removing = partial(remove_passkey, scene.context, scene.visitor, scene.get(identity), one.id)
    works: list[Callable[[], object]] = [signing_in, removing]
    signed_in, removed = in_parallel(works)
    assert isinstance(removed, Passkey)
    assert isinstance(signed_in, str | UnknownPasskey)
    assert scene.count(PasskeyRow) == 0
    assert scene.count(PendingSignInRow) == 0


@pytest.mark.differs_on_postgresql
def test_a_customer_erased_while_a_passkey_signs_in_has_one_outcome(
    scene: Scene, identity: str, phone: Authenticator
) -> None:
    at_once = scene.with_rules(deletion_grace=timedelta(0))
    request = ask(scene)
    works: list[Callable[[], object]] = [
        partial(finish, scene, request, phone.get(request.options)),
        partial(at_once.close, identity),
    ]
    signed_in, closed = in_parallel(works)
    assert closed is True
    assert isinstance(signed_in, str | Refused)
    assert (scene.count(PasskeyRow), scene.count(Contact)) == (0, 0)
