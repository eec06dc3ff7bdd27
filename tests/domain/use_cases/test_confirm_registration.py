"""Confirm a registration: only the owner of the mailbox gets an account."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.domain.errors import Failure, Refused
from portal.domain.operations import ban
from portal.domain.outbox import Notice
from portal.domain.use_cases.resend_confirmation import resend
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, Link, Registration
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused


def test_the_browser_that_registered_confirms_without_the_password(scene: Scene, hashes: HashCounter) -> None:
    public_id = scene.register()
    before = hashes.computed
    identity = scene.confirm(scene.token(Notice.VERIFY), browser=public_id)
    assert scene.get(identity).email == ADA
    assert hashes.computed == before


def test_another_browser_needs_the_password_to_confirm(scene: Scene) -> None:
    scene.register()
    token = scene.token(Notice.VERIFY)
    for password in (None, "", WRONG_PASSWORD):
        with refused(Failure.WRONG_PASSWORD) as refusal:
            scene.confirm(token, password=password)
        assert refusal.value.field == "password"
        assert refusal.value.detail
    assert scene.count(Account) == 0
    assert scene.is_signed_in(scene.confirm(token, password=PASSWORD))


def test_a_browser_with_another_registration_needs_the_password_to_confirm(scene: Scene) -> None:
    scene.register()
    token = scene.token(Notice.VERIFY)
    other = scene.register(ADA, SECOND_PASSWORD)
    for browser in (other, "", "A" * 32):
        with refused(Failure.WRONG_PASSWORD):
            scene.confirm(token, browser=browser, password=SECOND_PASSWORD)


def test_a_wrong_password_at_confirmation_counts_as_a_failed_login(scene: Scene) -> None:
    scene.register()
    token = scene.token(Notice.VERIFY)
    for _ in range(10):
        with refused(Failure.WRONG_PASSWORD):
            scene.confirm(token, password=WRONG_PASSWORD)
    assert (
        scene.rows(select(Contact.c.failed_passwords))[0][0] == 11
    )  # a registration counts as a password attempt, too
    assert scene.rows(select(Registration.c.failed_passwords))[0][0] == 10
    for guess in (WRONG_PASSWORD, PASSWORD):
        with refused(Failure.TOO_MANY_LOGINS):
            scene.confirm(token, password=guess)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in()


def test_the_right_password_at_confirmation_is_not_counted(scene: Scene) -> None:
    scene.register()
    scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD)
    scene.fail_to_log_in(times=9)
    assert scene.log_in()


def test_confirming_one_registration_ends_the_others(scene: Scene) -> None:
    first = scene.register()
    second = scene.register(ADA, SECOND_PASSWORD)
    tokens = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    scene.confirm(tokens[0], browser=first)
    for browser, password in ((second, None), (None, SECOND_PASSWORD)):
        with refused(Failure.ALREADY_CONFIRMED):
            scene.confirm(tokens[1], browser=browser, password=password)
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, SECOND_PASSWORD)
    assert scene.rows(select(Registration.c.id).where(Registration.c.ended_at.is_(None))) == []
    assert scene.rows(select(Link.c.id).where(Link.c.used_at.is_(None), Link.c.ended_at.is_(None))) == []


@pytest.mark.differs_on_postgresql
def test_of_parallel_confirmations_one_succeeds(scene: Scene) -> None:
    scene = scene.without_limits()
    tokens = [(scene.register(), scene.token(Notice.VERIFY)) for _ in range(3)]
    works = [lambda pair=pair: scene.confirm(pair[1], browser=pair[0]) for pair in tokens * 4]
    outcomes = in_parallel(works)
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    refusals = {outcome.failure for outcome in outcomes if isinstance(outcome, Refused)}
    assert refusals <= {Failure.ALREADY_CONFIRMED, Failure.LINK_ENDED}
    assert scene.count(Account) == 1


def test_a_used_link_is_refused(scene: Scene) -> None:
    public_id = scene.register()
    token = scene.token(Notice.VERIFY)
    scene.confirm(token, browser=public_id)
    with refused(Failure.ALREADY_CONFIRMED):
        scene.confirm(token, browser=public_id)


def test_an_expired_link_is_refused_to_the_second(scene: Scene, clock: MovableClock) -> None:
    browsers = [scene.register(email) for email in (ADA, "eve@example.com")]
    tokens = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    clock.advance(timedelta(hours=24, seconds=-1))
    assert scene.confirm(tokens[0], browser=browsers[0])
    clock.advance(timedelta(seconds=1))
    with refused(Failure.LINK_EXPIRED):
        scene.confirm(tokens[1], browser=browsers[1])


def test_confirming_ends_the_previous_identity_of_the_browser(scene: Scene) -> None:
    carried = scene.join("eve@example.com")
    public_id = scene.register()
    new = scene.confirm(scene.token(Notice.VERIFY), browser=public_id, replacing=carried)
    assert [scene.is_signed_in(carried), scene.is_signed_in(new)] == [False, True]


def test_an_attacker_who_registers_an_address_gains_nothing_when_its_owner_resets(scene: Scene) -> None:
    """Account pre-hijacking: the attacker's password, link and browser end when the owner proves the mailbox."""
    strangers = scene.register(ADA, WRONG_PASSWORD)
    token = scene.token(Notice.VERIFY)
    scene.reset(scene.ask_reset(), PASSWORD)
    for browser, password in ((strangers, None), (None, WRONG_PASSWORD)):
        with refused(Failure.REGISTRATION_DROPPED):
            scene.confirm(token, browser=browser, password=password)
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, WRONG_PASSWORD)
    assert resend(scene.context, scene.visitor, strangers) == ADA
    assert scene.mails()[-1].notice is Notice.ACCOUNT_EXISTS
    assert scene.get(scene.log_in(ADA, PASSWORD)).email == ADA


def test_the_owner_who_opens_an_attackers_link_does_not_get_the_attackers_password(scene: Scene) -> None:
    scene.register(ADA, WRONG_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD)
    assert scene.count(Account) == 0


def test_confirming_fills_only_empty_fields_of_a_guest(scene: Scene) -> None:
    referrer = scene.get(scene.join("referrer@example.com"))
    scene.add_guest(first_name="Ada", phone="+420 777000000", locale="cs")
    typed: dict[str, Any] = {
        "first_name": "Eve",
        "last_name": "Rook",
        "phone": "+420 777123456",
        "company_name": "Rook & Sons",
        "newsletter": True,
        "referral": referrer.cu_ref_no,
    }
    scene.join(ADA, **typed)
    [contact] = scene.rows(select(Contact).where(Contact.c.email == ADA))
    assert (contact.first_name, contact.phone, contact.locale) == ("Ada", "+420 777000000", "cs")
    assert (contact.last_name, contact.company_name, contact.newsletter) == ("Rook", "Rook & Sons", True)
    assert contact.referred_by_id == referrer.id


@pytest.mark.parametrize("referral", ["A" * 16, None])
def test_an_unknown_referral_is_ignored(scene: Scene, referral: str | None) -> None:
    scene.join(referral=referral)
    assert scene.rows(select(Contact.c.referred_by_id))[0][0] is None


def test_a_referral_by_oneself_or_from_another_organisation_is_ignored(scene: Scene) -> None:
    scene.add_guest()
    own = scene.rows(select(Contact.c.cu_ref_no))[0][0]
    scene.join(referral=own)
    scene.at_another_organisation().join(referral=own)
    assert [row[0] for row in scene.rows(select(Contact.c.referred_by_id))] == [None, None]


def test_declining_the_newsletter_at_registration_does_not_unsubscribe(scene: Scene) -> None:
    scene.add_guest(newsletter=True)
    scene.join(newsletter=False)
    assert scene.rows(select(Contact.c.newsletter))[0][0] is True


def test_a_ban_ends_pending_registrations_and_lifting_it_restores_none(scene: Scene) -> None:
    public_id = scene.register()
    token = scene.token(Notice.VERIFY)
    scene.ban()
    with refused(Failure.LINK_ENDED):
        scene.confirm(token, browser=public_id)
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    with refused(Failure.LINK_ENDED):
        scene.confirm(token, browser=public_id)
    resend(scene.context, scene.visitor, public_id)
    with refused(Failure.LINK_ENDED):
        scene.confirm(scene.token(Notice.VERIFY), browser=public_id)
    assert scene.count(Account) == 0


def test_a_link_ends_when_the_address_changes(scene: Scene) -> None:
    public_id = scene.register()
    scene.change_row(update(Contact).values(email="new@example.com", email_key="new@example.com"))
    with refused(Failure.LINK_ENDED):
        scene.confirm(scene.token(Notice.VERIFY), browser=public_id)
