"""Set a new password by an emailed link."""

from dataclasses import replace
from datetime import timedelta

import pytest
from limits import parse as parse_limit
from sqlalchemy import select, update

from portal.domain.errors import Failure, Refused
from portal.domain.operations import ban
from portal.domain.outbox import Notice
from portal.domain.passwords.hashing import Hasher, Parameters
from portal.domain.use_cases.report_not_me import get_not_me_link
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.values.email import parse_email
from portal.storage.models import Account, Contact, FormerPassword, Identity, Link
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused


def test_a_reset_sets_the_password_and_emails_the_owner(scene: Scene) -> None:
    scene.join()
    scene.reset(scene.ask_reset())
    notice = scene.mails()[-1]
    assert (notice.notice, notice.recipient) == (Notice.PASSWORD_CHANGED, ADA)
    assert get_not_me_link(scene.context, scene.visitor, notice.token or "").email == ADA
    assert scene.log_in(ADA, SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, PASSWORD)


@pytest.mark.parametrize("registered", [True, False])
def test_a_contact_without_an_account_sets_a_first_password_and_is_confirmed(scene: Scene, registered: bool) -> None:
    if registered:
        scene.register(ADA, PASSWORD)
    else:
        scene.add_guest(confirmed_at=None)
    scene.reset(scene.ask_reset())
    assert scene.log_in(ADA, SECOND_PASSWORD)
    assert scene.rows(select(Contact.c.confirmed_at))[0][0] == scene.context.clock()


def test_an_unknown_or_banned_address_gets_no_email(scene: Scene) -> None:
    scene.join()
    scene.ban()
    mails = len(scene.mails())
    scene.request_reset(ADA)
    scene.request_reset("nobody@example.com")
    assert len(scene.mails()) == mails


def test_opening_a_link_does_not_use_it(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    for _ in range(50):
        assert get_reset_link(scene.context, scene.visitor, token).email == ADA
    scene.reset(token)


@pytest.mark.differs_on_postgresql
def test_of_20_parallel_uses_of_a_link_one_succeeds(scene: Scene) -> None:
    scene = scene.without_limits()
    scene = replace(scene, context=replace(scene.context, hasher=Hasher(Parameters(1, 8, 1), max_queued=40)))
    scene.join()
    token = scene.ask_reset()
    passwords = [f"{SECOND_PASSWORD} number {number}" for number in range(20)]
    works = [lambda password=password: scene.reset(token, password) for password in passwords]
    outcomes = in_parallel(works)
    assert outcomes.count(False) == 1
    assert [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)] == [Failure.LINK_ENDED] * 19
    assert scene.count(FormerPassword) == 1
    assert len(scene.mails(Notice.PASSWORD_CHANGED)) == 1
    assert scene.log_in(ADA, passwords[outcomes.index(False)])


@pytest.mark.parametrize(
    ("password", "failure"),
    [
        ("short", Failure.PASSWORD_REFUSED),
        ("password1", Failure.PASSWORD_REFUSED),
        ("ada@example.com", Failure.PASSWORD_REFUSED),
        ("Lovelace1815", Failure.PASSWORD_REFUSED),
        ("Customer portal", Failure.PASSWORD_REFUSED),
        (PASSWORD, Failure.PASSWORD_REUSED),
    ],
)
def test_a_refused_password_says_why_and_keeps_the_link_valid(scene: Scene, password: str, failure: Failure) -> None:
    identity = scene.join(last_name="Lovelace")
    token = scene.ask_reset()
    with refused(failure) as refusal:
        scene.reset(token, password)
    assert refusal.value.field == "password"
    assert refusal.value.detail or failure is Failure.PASSWORD_REUSED
    assert scene.is_signed_in(identity)
    scene.reset(token)


def test_a_reset_ends_every_identity_link_and_pending_registration(scene: Scene) -> None:
    scene = scene.without_limits()
    registered = scene.register(ADA, PASSWORD)
    scene.register(ADA, f"{PASSWORD} too")
    verify, other_verify = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    resets = [scene.ask_reset() for _ in range(3)]
    scene.reset(resets[0])
    for token in resets:
        with refused(Failure.LINK_ENDED):
            scene.reset(token, "something quite new 77")
    for token in (verify, other_verify):
        with refused(Failure.REGISTRATION_DROPPED):
            scene.confirm(token, browser=registered)
    identities = [scene.log_in(ADA, SECOND_PASSWORD), scene.log_in(ADA, SECOND_PASSWORD, remember=True)]
    scene.reset(scene.ask_reset(), "something quite new 77")
    assert [scene.is_signed_in(identity) for identity in identities] == [False, False]
    open_links = scene.rows(select(Link.c.purpose).where(Link.c.used_at.is_(None), Link.c.ended_at.is_(None)))
    assert open_links == [("not_me",)]  # the link in the notice of this reset


def test_a_reset_creates_no_session(scene: Scene) -> None:
    scene.join()
    identities = scene.count(Identity)
    scene.reset(scene.ask_reset())
    assert scene.count(Identity) == identities


def test_a_reset_ends_nothing_of_other_customers(scene: Scene) -> None:
    others = scene.join("eve@example.com")
    others_link = scene.ask_reset("eve@example.com")
    scene.join()
    scene.reset(scene.ask_reset())
    assert scene.is_signed_in(others)
    scene.reset(others_link)


def test_a_reset_request_by_an_attacker_ends_nothing_of_the_customer(scene: Scene) -> None:
    identity = scene.join()
    mine = scene.ask_reset()
    stranger = scene.elsewhere("198.51.100.66")
    stranger.request_reset()
    with refused(Failure.PASSWORD_REUSED):
        stranger.reset(stranger.ask_reset(), PASSWORD)
    assert scene.is_signed_in(identity)
    scene.reset(mine)


def test_20_reset_requests_change_nothing(scene: Scene) -> None:
    identity = scene.join()
    before = scene.rows(select(Contact)), scene.rows(select(Account))
    tokens = [scene.without_limits().ask_reset() for _ in range(20)]
    assert (scene.rows(select(Contact)), scene.rows(select(Account))) == before
    assert scene.is_signed_in(identity)
    assert scene.log_in()
    for token in tokens:
        assert get_reset_link(scene.context, scene.visitor, token).email == ADA


@pytest.mark.parametrize("lifetime", [None, timedelta(minutes=1), timedelta(hours=24)])
def test_an_expired_link_is_refused_to_the_second(
    scene: Scene, clock: MovableClock, lifetime: timedelta | None
) -> None:
    scene.join()
    token = scene.ask_reset(lifetime=lifetime)
    clock.advance((lifetime or timedelta(minutes=30)) - timedelta(seconds=1))
    with refused(Failure.PASSWORD_REUSED):
        scene.reset(token, PASSWORD)
    clock.advance(timedelta(seconds=2))
    with refused(Failure.LINK_EXPIRED):
        scene.reset(token)


def test_a_link_that_expires_while_the_password_is_hashed_is_refused(
    scene: Scene, clock: MovableClock, hashes: HashCounter
) -> None:
    scene.join()
    token = scene.ask_reset()

    def hash_slowly(*arguments: object, **options: object) -> bytes:
        clock.advance(timedelta(minutes=31))
        return hash_secret(*arguments, **options)

    hash_secret, hashes._hash_secret = hashes._hash_secret, hash_slowly
    with refused(Failure.LINK_EXPIRED):
        scene.reset(token)
    hashes._hash_secret = hash_secret
    assert scene.log_in(ADA, PASSWORD)


def test_links_end_with_a_ban_and_lifting_it_restores_none(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    scene.ban()
    with refused(Failure.LINK_ENDED):
        scene.reset(token)
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    with refused(Failure.LINK_ENDED):
        scene.reset(token)


def test_links_end_when_the_address_changes(scene: Scene) -> None:
    scene.join()
    token = scene.ask_reset()
    scene.change_row(update(Contact).values(email="new@example.com", email_key="new@example.com"))
    with refused(Failure.LINK_ENDED):
        scene.reset(token)


def test_emails_are_limited_by_address_and_by_network(scene: Scene) -> None:
    for number in range(5):
        scene.elsewhere(f"198.51.100.{number}").request_reset("nobody@example.com")
    for number in range(5):
        with refused(Failure.TOO_MANY_MAILS) as refusal:
            scene.elsewhere(f"198.51.100.{number}").request_reset("nobody@example.com")
        assert refusal.value.retry_after
    scene = scene.elsewhere("198.51.100.10").with_rules(mail_limit_network=parse_limit("3 per hour"))
    for number in range(3):
        scene.request_reset(f"nobody{number}@example.com")
    with refused(Failure.TOO_MANY_MAILS):
        scene.request_reset("nobody3@example.com")
