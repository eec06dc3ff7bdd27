"""Codes beside emailed links: after 100 wrong ones in a row they are locked, until a link proves the mailbox."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from portal.domain.errors import Failure, Refused
from portal.domain.link_codes import MAX_CODE_ATTEMPTS
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_registration import confirm, get_confirmation_by_code
from portal.domain.use_cases.log_in_by_email import (
    get_sign_in_link,
    get_sign_in_link_by_code,
    log_in_by_email,
    request_sign_in,
)
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event, Link
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, Scene, identity_of, refused
from tests.domain.use_cases import address_change
from tests.domain.use_cases.address_change import NEW
from tests.domain.use_cases.test_same_work import KNOWN, STRANGER, Work, work_of

EVE = "eve@example.com"


def ask(scene: Scene, email: str = ADA) -> str:
    """Request a sign-in email; return what the browser remembers of it."""
    return request_sign_in(scene.context, scene.visitor, parse_email(email))


def right(scene: Scene, public_id: str, purpose: Purpose = Purpose.SIGN_IN) -> str:
    """Return the code in the email."""
    return scene.context.signer.code(purpose, public_id)


def wrong(scene: Scene, public_id: str, purpose: Purpose = Purpose.SIGN_IN) -> str:
    return f"{(int(right(scene, public_id, purpose)) + 1) % 10**6:06}"


def type_code(scene: Scene, code: str, *public_ids: str) -> str:
    """Type a code into the browser that requested it; return the identity."""
    link = get_sign_in_link_by_code(scene.context, scene.visitor, public_ids, code)
    return identity_of(log_in_by_email(scene.context, scene.visitor, link, remember=False, replacing=None).sign_in)


def open_link(scene: Scene) -> str:
    link = get_sign_in_link(scene.context, scene.visitor, scene.token(Notice.SIGN_IN))
    return identity_of(log_in_by_email(scene.context, scene.visitor, link, remember=False, replacing=None).sign_in)


def guess(scene: Scene, times: int, email: str = ADA) -> list[Failure]:
    """Type wrong codes, five for each email; return the failure of each."""
    failures = []
    public_id = ""
    for number in range(times):
        if number % MAX_CODE_ATTEMPTS == 0:
            public_id = ask(scene, email)
        with pytest.raises(Refused) as refusal:
            type_code(scene, wrong(scene, public_id), public_id)
        failures.append(refusal.value.failure)
    return failures


def failed_codes(scene: Scene) -> int:
    return int(scene.rows(select(Contact.c.failed_codes).where(Contact.c.email == ADA))[0][0])


@pytest.fixture
def portal(scene: Scene) -> Scene:
    return scene.without_limits()


def test_after_100_wrong_codes_in_a_row_the_right_code_is_refused_as_a_wrong_one(portal: Scene) -> None:
    portal.join()
    before = guess(portal, 100)
    assert failed_codes(portal) == 100
    public_id = ask(portal)
    for failure in before[:5]:
        with refused(failure) as refusal:
            type_code(portal, right(portal, public_id), public_id)
        assert (refusal.value.field, refusal.value.detail) == ("code", None)
    with refused(Failure.CODE_ENDED):
        type_code(portal, right(portal, public_id), public_id)
    assert failed_codes(portal) == 100


def test_the_100th_code_may_still_be_right(portal: Scene) -> None:
    portal.join()
    guess(portal, 99)
    public_id = ask(portal)
    assert portal.is_signed_in(type_code(portal, right(portal, public_id), public_id))
    assert failed_codes(portal) == 0


def test_a_right_code_resets_the_count(portal: Scene) -> None:
    portal.join()
    for _ in range(2):
        guess(portal, 60)
        public_id = ask(portal)
        type_code(portal, right(portal, public_id), public_id)
    assert failed_codes(portal) == 0


def test_codes_are_locked_however_slow_the_guesses_come(scene: Scene, clock: MovableClock) -> None:
    portal = scene.without_limits()
    portal.join()
    for _ in range(20):
        guess(portal, 5)
        clock.advance(timedelta(days=3))
    public_id = ask(portal)
    with refused(Failure.WRONG_CODE):
        type_code(portal, right(portal, public_id), public_id)


def by_link(portal: Scene) -> None:
    ask(portal)
    open_link(portal)


def by_reset(portal: Scene) -> None:
    portal.reset(portal.ask_reset())


@pytest.mark.parametrize("prove", [by_link, by_reset])
def test_links_stay_valid_and_using_one_unlocks_codes(portal: Scene, prove: Callable[[Scene], None]) -> None:
    portal.join()
    guess(portal, 100)
    prove(portal)
    assert failed_codes(portal) == 0
    public_id = ask(portal)
    assert type_code(portal, right(portal, public_id), public_id)


def test_neither_a_password_nor_magic_auth_unlocks_codes(portal: Scene) -> None:
    portal.join()
    guess(portal, 100)
    portal.log_in()
    portal.via_api().magic_auth()
    assert failed_codes(portal) == 100


def test_wrong_codes_of_registrations_count_on_the_same_contact(portal: Scene) -> None:
    registration = portal.register()
    ((public_id,),) = portal.rows(select(Link.c.public_id))

    def type_registration_code(code: str) -> str:
        found = get_confirmation_by_code(portal.context, portal.visitor, registration, code)
        return identity_of(confirm(portal.context, portal.visitor, found, None, remember=False, replacing=None))

    for _ in range(3):
        with refused(Failure.WRONG_CODE):
            type_registration_code(wrong(portal, public_id, Purpose.VERIFY))
    guess(portal, 97)
    with refused(Failure.WRONG_CODE):
        type_registration_code(right(portal, public_id, Purpose.VERIFY))
    portal.confirm(portal.token(Notice.VERIFY), browser=registration)
    assert failed_codes(portal) == 0


def test_a_wrong_code_counts_once_however_many_emails_the_browser_remembers(portal: Scene) -> None:
    portal.join()
    asked = [ask(portal) for _ in range(3)]
    with refused(Failure.WRONG_CODE):
        type_code(portal, "no code", *asked)
    assert failed_codes(portal) == 1


def test_a_wrong_code_counts_for_each_customer_whose_email_the_browser_remembers(portal: Scene) -> None:
    portal.join()
    portal.join(EVE)
    asked = [ask(portal), ask(portal, EVE), ask(portal, "nobody@example.com")]
    with refused(Failure.WRONG_CODE):
        type_code(portal, "no code", *asked)
    assert portal.rows(select(Contact.c.failed_codes)) == [(1,), (1,)]


def test_codes_after_five_attempts_are_not_counted(portal: Scene) -> None:
    portal.join()
    public_id = ask(portal)
    for _ in range(8):
        with pytest.raises(Refused):
            type_code(portal, wrong(portal, public_id), public_id)
    assert failed_codes(portal) == 5


def test_a_code_of_another_organisation_counts_for_no_customer(portal: Scene) -> None:
    portal.join()
    public_id = ask(portal)
    with refused(Failure.WRONG_CODE):
        type_code(portal.at_another_organisation(), right(portal, public_id), public_id)
    assert failed_codes(portal) == 0


@pytest.mark.differs_on_postgresql
def test_of_parallel_codes_none_is_checked_past_the_100th(portal: Scene) -> None:
    portal.join()
    asked = [ask(portal) for _ in range(6)]
    portal.change_row(update(Contact).values(failed_codes=98))

    def type_wrong_ones(public_id: str) -> None:
        with pytest.raises(Refused):
            type_code(portal, wrong(portal, public_id), public_id)

    outcomes = in_parallel([partial(type_wrong_ones, one) for one in asked])
    assert outcomes == [None] * 6
    assert failed_codes(portal) == 100


@pytest.mark.differs_on_postgresql
def test_of_parallel_attempts_only_one_is_the_100th(portal: Scene) -> None:
    portal.join()
    asked = [ask(portal) for _ in range(6)]
    portal.change_row(update(Contact).values(failed_codes=99))

    def look(public_id: str) -> object:
        return get_sign_in_link_by_code(portal.context, portal.visitor, [public_id], right(portal, public_id))

    outcomes = in_parallel([partial(look, one) for one in asked])
    assert [isinstance(outcome, Refused) for outcome in outcomes].count(False) == 1


@pytest.mark.parametrize("become_known", KNOWN)
def test_a_code_costs_the_same_work_for_known_and_unknown_addresses(
    portal: Scene, hashes: HashCounter, become_known: Callable[[Scene], None]
) -> None:
    become_known(portal)

    def work(email: str) -> Work:
        public_id = ask(portal, email)
        return work_of(portal, hashes, lambda: type_code(portal, wrong(portal, public_id), public_id))

    known, unknown = work(ADA), work(STRANGER)
    assert known == unknown
    portal.change_row(update(Contact).values(failed_codes=100))
    assert work(ADA) == unknown


def test_a_right_code_that_is_refused_is_recorded_like_a_wrong_one(portal: Scene) -> None:
    portal.join()
    portal.change_row(update(Contact).values(failed_codes=100))
    public_id = ask(portal)
    with refused(Failure.WRONG_CODE):
        type_code(portal, right(portal, public_id), public_id)
    newest = select(Event.c.kind, Event.c.refusal).order_by(Event.c.id.desc()).limit(1)
    assert portal.rows(newest) == [("sign_in_by_mail", "WRONG_CODE")]


def guess_new_address(scene: Scene, times: int) -> None:
    """Let a customer try codes for a new address, the last of them wrong, and then prove their own mailbox."""
    identity = scene.join()
    address_change.ask(scene, identity)
    scene.change_row(update(Link).where(Link.c.purpose == Purpose.ADDRESS_CHANGE).values(code_tries=times - 1))
    code = address_change.code_of(scene, address_change.ask(scene, identity))
    with refused(Failure.WRONG_CODE):
        address_change.type_code(scene, identity, f"{(int(code) + 1) % 10**6:06}")
    scene.log_in_by_email()


def test_after_100_wrong_codes_for_a_new_address_only_its_link_gives_it_to_a_customer(portal: Scene) -> None:
    guess_new_address(portal, 100)
    identity = portal.join(EVE)
    token = address_change.ask(portal, identity)
    with refused(Failure.CODE_ENDED):
        address_change.type_code(portal, identity, address_change.code_of(portal, token))

    address_change.confirm(portal, token)

    assert address_change.address_of(portal, identity) == NEW


def test_neither_99_wrong_codes_for_a_new_address_nor_100_of_another_organisation_lock_its_codes(
    portal: Scene,
) -> None:
    guess_new_address(portal.at_another_organisation(), 100)
    guess_new_address(portal, 99)
    identity = portal.join(EVE)
    token = address_change.ask(portal, identity)
    address_change.type_code(portal, identity, address_change.code_of(portal, token))
    assert address_change.address_of(portal, identity) == NEW
