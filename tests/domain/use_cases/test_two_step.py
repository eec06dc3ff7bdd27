"""Two-step verification: set up, asked for, turned off, and what ends with it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import segno
from sqlalchemy import func, select, update

from portal.domain import devices
from portal.domain.context import Context, Visitor
from portal.domain.errors import Failure
from portal.domain.identities import Customer, SessionEnded
from portal.domain.operations.restore import end_open_state
from portal.domain.operations.retention import purge
from portal.domain.outbox import Notice
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated, require_recent_authentication
from portal.domain.sign_ins import PENDING_LIFETIME, PendingSignIn, SignInEnded
from portal.domain.use_cases.close_account import close_account
from portal.domain.use_cases.pass_two_step import FinishedSignIn, pass_two_step, set_up_at_sign_in
from portal.domain.use_cases.reauthenticate import reauthenticate, reauthenticate_by_second_step
from portal.domain.use_cases.renew_recovery_codes import renew_recovery_codes
from portal.domain.use_cases.set_up_two_step import TwoStepIsOn, begin_set_up, set_up_two_step
from portal.domain.use_cases.turn_off_two_step import turn_off_two_step
from portal.storage.models import Device, Identity, Organisation, OutboxMail, RecoveryCode, SecondStep
from portal.storage.models import PendingSignIn as PendingSignInRow
from tests.conftest import MovableClock
from tests.domain.authenticator import Authenticator, turn_on
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import change, undo


@pytest.fixture
def app(scene: Scene, clock: MovableClock) -> Authenticator:
    scene.join()
    return turn_on(scene, clock)


def begin(scene: Scene) -> PendingSignIn:
    """Sign in up to the second step."""
    begun = scene.begin_log_in()
    assert isinstance(begun, PendingSignIn)
    return begun


def finish(scene: Scene, pending: PendingSignIn, code: str) -> FinishedSignIn:
    return pass_two_step(scene.context, scene.visitor, pending.value, code, replacing=None)


def sign_in(scene: Scene, app: Authenticator) -> str:
    return finish(scene, begin(scene), app.next_code()).identity


def is_recent(scene: Scene, customer: Customer) -> bool:
    try:
        require_recent_authentication(scene.context, customer)
    except NotRecentlyAuthenticated:
        return False
    return True


def test_there_is_no_identity_before_the_second_step(scene: Scene, app: Authenticator) -> None:
    before = scene.count(Identity)
    pending = begin(scene)
    assert not scene.is_signed_in(pending.value)
    assert scene.count(Identity) == before
    with refused(Failure.TWO_STEP_WRONG):
        finish(scene, pending, app.wrong_code())
    assert scene.count(Identity) == before
    assert scene.is_signed_in(finish(scene, pending, app.next_code()).identity)


def test_a_pending_sign_in_is_finished_once(scene: Scene, app: Authenticator) -> None:
    pending = begin(scene)
    outcomes = in_parallel([partial(finish, scene.without_limits(), pending, code) for code in app.recovery_codes[:4]])
    assert len([outcome for outcome in outcomes if isinstance(outcome, FinishedSignIn)]) == 1
    used = scene.rows(select(func.count()).where(RecoveryCode.c.used_at.is_not(None)))
    assert used == [(1,)]
    with pytest.raises(SignInEnded):
        finish(scene, pending, app.next_code())


def test_a_pending_sign_in_ends_with_its_time_and_is_deleted(
    scene: Scene, app: Authenticator, clock: MovableClock
) -> None:
    pending = begin(scene)
    clock.advance(PENDING_LIFETIME)
    with pytest.raises(SignInEnded):
        finish(scene, pending, app.next_code())
    purge(scene.context)
    assert scene.count(PendingSignInRow) == 0


def test_a_ban_ends_pending_sign_ins(scene: Scene, app: Authenticator) -> None:
    pending = begin(scene)
    scene.ban()
    with pytest.raises(SignInEnded):
        finish(scene, pending, app.next_code())


def test_closing_the_account_ends_pending_sign_ins(scene: Scene, app: Authenticator) -> None:
    customer = scene.get(sign_in(scene, app))
    pending = begin(scene)
    assert close_account(scene.context, scene.visitor, customer)
    with pytest.raises(SignInEnded):
        finish(scene, pending, app.next_code())


def test_another_organisation_cannot_finish_it(scene: Scene, app: Authenticator) -> None:
    pending = begin(scene)
    with pytest.raises(SignInEnded):
        finish(scene.at_another_organisation(), pending, app.next_code())


def test_both_steps_must_be_recent(scene: Scene, app: Authenticator, clock: MovableClock) -> None:
    identity = sign_in(scene, app)
    assert is_recent(scene, scene.get(identity))
    clock.advance(RECENT)
    first = reauthenticate(scene.context, scene.visitor, scene.get(identity), PASSWORD)
    assert first is not None
    assert not is_recent(scene, scene.get(first))
    second = reauthenticate_by_second_step(scene.context, scene.visitor, scene.get(first), app.next_code())
    assert second is not None
    assert is_recent(scene, scene.get(second))
    assert not scene.is_signed_in(first)


def test_a_change_of_password_keeps_what_the_session_has_proved(scene: Scene, app: Authenticator) -> None:
    identity = scene.change(sign_in(scene, app), PASSWORD, "ember walnut glacier 58")
    assert is_recent(scene, scene.get(identity))


@pytest.mark.parametrize("do", [turn_off_two_step, renew_recovery_codes])
def test_without_a_recent_proof_nothing_changes(
    scene: Scene, app: Authenticator, clock: MovableClock, do: Callable[[Context, Visitor, Customer], object]
) -> None:
    customer = scene.get(sign_in(scene, app))
    clock.advance(RECENT)
    with pytest.raises(NotRecentlyAuthenticated):
        do(scene.context, scene.visitor, customer)
    assert scene.count(SecondStep) == 1


def test_it_is_not_set_up_without_a_recent_proof_or_twice(scene: Scene, clock: MovableClock) -> None:
    identities = scene.join(), scene.log_in()
    customer = scene.get(identities[0])
    secret = begin_set_up(scene.context, scene.visitor, customer.id, ADA, sealed=None).secret
    app = Authenticator(secret, clock, ())
    turn_on_in = partial(set_up_two_step, scene.context, scene.visitor)
    outcomes = in_parallel([partial(turn_on_in, scene.get(identity), secret, app.code()) for identity in identities])
    assert sum(isinstance(outcome, TwoStepIsOn) for outcome in outcomes) == 1
    # The other call finds it on: at once as the second writer, or because its session now needs a code.
    assert sum(outcome is None or isinstance(outcome, NotRecentlyAuthenticated) for outcome in outcomes) == 1
    assert (scene.count(SecondStep), scene.count(RecoveryCode)) == (1, 10)
    clock.advance(RECENT)
    with pytest.raises(NotRecentlyAuthenticated):
        set_up_two_step(scene.context, scene.visitor, customer, secret, app.code())


def test_a_session_that_has_ended_meanwhile_changes_nothing(scene: Scene, clock: MovableClock) -> None:
    """Otherwise an attacker's app would be asked for after "This wasn't me" or an undone change of address."""
    identity = scene.join()
    customer = scene.get(identity)
    secret = begin_set_up(scene.context, scene.visitor, customer.id, ADA, sealed=None).secret
    scene.log_out(identity)
    with pytest.raises(SessionEnded):
        set_up_two_step(scene.context, scene.visitor, customer, secret, Authenticator(secret, clock, ()).code())
    assert scene.count(SecondStep) == 0
    app = turn_on(scene, clock)
    identity = sign_in(scene, app)
    customer = scene.get(identity)
    codes = scene.rows(select(RecoveryCode.c.digest))
    scene.log_out(identity)
    for change_it in (renew_recovery_codes, turn_off_two_step):
        with pytest.raises(SessionEnded):
            change_it(scene.context, scene.visitor, customer)
    assert (scene.count(SecondStep), scene.rows(select(RecoveryCode.c.digest))) == (1, codes)


def test_the_secret_of_a_set_up_is_for_one_customer(scene: Scene) -> None:
    first = begin_set_up(scene.context, scene.visitor, 1, ADA, sealed=None)
    again = begin_set_up(scene.context, scene.visitor, 1, ADA, sealed=first.sealed)
    other = begin_set_up(scene.context, scene.visitor, 2, ADA, sealed=first.sealed)
    broken = begin_set_up(scene.context, scene.visitor, 1, ADA, sealed="broken")
    assert again.secret == first.secret
    assert len({first.secret, other.secret, broken.secret}) == 3
    assert first.secret not in repr(first)


def test_the_longest_names_fit_into_a_qr_code(scene: Scene) -> None:
    visitor = replace(scene.visitor, organisation_name="\U0001f511:" * 127)
    email = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.com"
    uri = begin_set_up(scene.context, visitor, 1, email, sealed=None).uri
    assert segno.make(uri, error="m").error == "M"


def test_where_it_is_required_a_sign_in_sets_it_up_once(scene: Scene, clock: MovableClock) -> None:
    customer_id = scene.get(scene.join()).id
    scene.change_row(update(Organisation).values(require_two_step="required"))
    first, second = begin(scene), begin(scene)
    assert (first.must_set_up, second.must_set_up) == (True, True)
    secret = begin_set_up(scene.context, scene.visitor, customer_id, ADA, sealed=None).secret
    app = Authenticator(secret, clock, ())
    finished = set_up_at_sign_in(scene.context, scene.visitor, first.value, secret, app.code(), replacing=None)
    assert scene.is_signed_in(finished.identity)
    assert len(finished.recovery_codes) == 10
    with pytest.raises(SignInEnded):
        set_up_at_sign_in(scene.context, scene.visitor, second.value, secret, app.next_code(), replacing=None)


def test_undoing_a_change_of_address_removes_a_newer_second_step(scene: Scene, clock: MovableClock) -> None:
    stolen = scene.join()
    token = change(scene, stolen)
    clock.advance(timedelta(minutes=1))
    email = scene.get(stolen).email or ""
    turn_on(scene, clock, email)
    undo(scene, token)
    assert (scene.count(SecondStep), scene.count(RecoveryCode)) == (0, 0)


def test_undoing_a_change_of_address_keeps_an_older_second_step(
    scene: Scene, app: Authenticator, clock: MovableClock
) -> None:
    clock.advance(timedelta(minutes=1))
    stolen = sign_in(scene, app)
    trusted = scene.in_browser(devices.remember_device(scene.context, scene.visitor, stolen, trust=True))
    assert isinstance(trusted.begin_log_in(), str)
    clock.advance(timedelta(minutes=1))
    token = change(scene, stolen)
    clock.advance(timedelta(minutes=1))
    renew_recovery_codes(scene.context, scene.visitor, scene.get(stolen))
    undo(scene, token)
    assert (scene.count(SecondStep), scene.count(RecoveryCode)) == (1, 0)
    assert scene.rows(select(Device.c.trusted_until)) == [(None,)]


def test_after_a_restore_no_browser_is_trusted_and_no_sign_in_waits(scene: Scene, app: Authenticator) -> None:
    identity = sign_in(scene, app)
    scene.in_browser(devices.remember_device(scene.context, scene.visitor, identity, trust=True))
    begin(scene)
    with scene.context.database.write() as connection:
        end_open_state(connection, scene.context.clock())
    assert scene.count(PendingSignInRow) == 0
    assert scene.rows(select(Device.c.trusted_until)) == [(None,)]


def test_each_change_sends_an_email(scene: Scene, app: Authenticator) -> None:
    finish(scene, begin(scene), app.recovery_codes[0])
    turn_off_two_step(scene.context, scene.visitor, scene.get(sign_in(scene, app)))
    told = [mail.notice for mail in scene.mails()][-3:]
    assert told == [Notice.TWO_STEP_ON, Notice.RECOVERY_CODE_USED, Notice.TWO_STEP_OFF]


def test_the_notice_of_a_new_browser_is_sent_after_the_second_step(scene: Scene, app: Authenticator) -> None:
    def told() -> int:
        ((details,),) = scene.rows(select(OutboxMail.c.details).where(OutboxMail.c.notice == Notice.NEW_SIGN_IN))
        return len(details.get("signIns", ()))

    before = told()
    pending = begin(scene)
    assert told() == before
    finish(scene, pending, app.next_code())
    assert told() == before + 1
