"""Until the mailbox is proven, a registration of a known address looks in a browser like one of an unknown address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from portal.domain.errors import Failure, Refused
from portal.domain.operations import ban
from portal.domain.outbox import MailState, Notice
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event, Identity, Link, OutboxMail, Registration
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, pending_registration, refused
from tests.domain.test_errors import LOOK_ALIKE
from tests.domain.test_rate_limiter import tries_left
from tests.domain.use_cases.address_states import (
    banned_customer,
    banned_guest,
    banned_pending,
    customer,
    customer_with_a_locked_password,
    guest,
    unknown,
)

STRANGERS_PASSWORD = "thimble walrus lagoon 29"
OTHER_PASSWORD = "harvest pillow comet 12"


def guest_with_wrong_passwords(scene: Scene) -> None:
    scene.add_guest(failed_passwords=100)


def imported_customer(scene: Scene) -> None:
    scene.add_imported()


def closed_customer(scene: Scene) -> None:
    scene.close(scene.join())


WITH_ACCOUNT = [customer, imported_customer, customer_with_a_locked_password]
BANNED = [banned_customer, banned_guest, banned_pending]
EVERYBODY = [unknown, guest, guest_with_wrong_passwords, closed_customer, *WITH_ACCOUNT, *BANNED]


@contextmanager
def refused_as_wrong() -> Iterator[None]:
    """Check that the block is refused with words that reveal nothing."""
    with pytest.raises(Refused) as caught:
        yield
    assert (caught.value.failure.name in LOOK_ALIKE, caught.value.field) == (True, "password")


@pytest.mark.parametrize("who", EVERYBODY)
def test_signing_in_with_a_decoy_password_is_answered_as_unconfirmed(
    scene: Scene, who: Callable[[Scene], None]
) -> None:
    who(scene)
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    for _ in range(2):
        with refused(Failure.UNVERIFIED) as refusal:
            scene.log_in(ADA, STRANGERS_PASSWORD)
        assert (pending_registration(refusal), refusal.value.field) == (registration, None)
    with refused_as_wrong():
        scene.log_in(ADA, OTHER_PASSWORD)


@pytest.mark.parametrize("who", EVERYBODY)
def test_signing_in_with_a_decoy_password_is_not_counted(scene: Scene, who: Callable[[Scene], None]) -> None:
    who(scene)
    scene.register(ADA, STRANGERS_PASSWORD)
    before = scene.rows(select(Contact))
    for _ in range(20):
        with refused(Failure.UNVERIFIED):
            scene.log_in(ADA, STRANGERS_PASSWORD)
    assert scene.rows(select(Contact)) == before
    assert tries_left(scene) == 10


@pytest.mark.parametrize(
    ("who", "failure"),
    [
        *((who, Failure.WRONG_PASSWORD) for who in (customer, imported_customer, banned_customer)),
        (customer_with_a_locked_password, Failure.PASSWORD_LOCKED),
        (banned_guest, Failure.NO_ACCOUNT),
        (banned_pending, Failure.UNKNOWN_CONTACT),
        (closed_customer, Failure.UNKNOWN_CONTACT),
    ],
)
def test_a_decoy_does_not_change_the_answer_of_the_api(
    scene: Scene, who: Callable[[Scene], None], failure: Failure
) -> None:
    who(scene)
    for _ in range(2):
        with refused(failure) as refusal:
            scene.via_api().log_in(ADA, STRANGERS_PASSWORD)
        assert pending_registration(refusal) is None
        scene.register(ADA, STRANGERS_PASSWORD)


def test_a_decoy_does_not_prevent_a_registration_by_the_api(scene: Scene) -> None:
    banned_guest(scene)
    scene.register(ADA, STRANGERS_PASSWORD)
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    scene.via_api().register_by_api()
    assert scene.confirm_by_api().email == ADA


@pytest.mark.parametrize("registered", [PASSWORD, STRANGERS_PASSWORD])
def test_the_owners_password_still_signs_in_despite_a_decoy(scene: Scene, registered: str) -> None:
    scene.join()
    scene.register(ADA, registered)
    assert scene.is_signed_in(scene.log_in())


def test_a_banned_customer_learns_of_the_ban_after_the_right_password(scene: Scene) -> None:
    banned_customer(scene)
    scene.register()
    with refused(Failure.BANNED):
        scene.log_in()


def test_a_locked_password_is_not_revealed_by_a_decoy_with_the_same_password(scene: Scene) -> None:
    customer_with_a_locked_password(scene)
    scene.register()
    with refused(Failure.UNVERIFIED):
        scene.log_in()
    assert scene.count(Identity) == 1  # the one of the first registration


def test_a_decoy_confirms_nothing(scene: Scene) -> None:
    scene.join()
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    assert scene.resend(registration) == ADA
    links = scene.rows(select(Link).where(Link.c.purpose == "verify", Link.c.used_at.is_(None)))
    assert len(links) == 2
    for link in links:
        with refused(Failure.ALREADY_CONFIRMED):
            scene.confirm(scene._sign(link.purpose, link.public_id), browser=registration)
    assert [mail.notice for mail in scene.mails()[-2:]] == [Notice.ACCOUNT_EXISTS] * 2


@pytest.mark.parametrize("who", [unknown, customer, banned_customer])
def test_after_100_wrong_passwords_no_pending_registration_matches(scene: Scene, who: Callable[[Scene], None]) -> None:
    scene = scene.without_limits()
    who(scene)
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    for _ in range(99):
        with refused_as_wrong():
            scene.log_in(ADA, OTHER_PASSWORD)
    with refused(Failure.UNVERIFIED):
        scene.log_in(ADA, STRANGERS_PASSWORD)
    for password in (OTHER_PASSWORD, STRANGERS_PASSWORD):
        with refused_as_wrong():
            scene.log_in(ADA, password)
    later = scene.register(ADA, STRANGERS_PASSWORD)
    with refused(Failure.UNVERIFIED) as refusal:
        scene.log_in(ADA, STRANGERS_PASSWORD)
    assert pending_registration(refusal) == later != registration


def test_after_100_wrong_passwords_the_link_still_confirms(scene: Scene) -> None:
    scene = scene.without_limits()
    scene.register()
    scene.fail_to_log_in(times=100)
    assert scene.is_signed_in(scene.confirm(scene.token(Notice.VERIFY), password=PASSWORD))
    assert scene.log_in()


def test_the_api_reports_a_pending_registration_after_100_wrong_passwords_too(scene: Scene) -> None:
    scene = scene.without_limits()
    scene.register()
    scene.fail_to_log_in(times=100)
    with refused(Failure.WRONG_PASSWORD):
        scene.via_api().log_in()
    with refused(Failure.UNVERIFIED):
        scene.via_api().magic_auth()


def test_registering_does_not_allow_more_guesses_after_100_wrong_passwords(scene: Scene) -> None:
    """Signing in with the registered password would reveal whether it is the account's own."""
    scene = scene.without_limits()
    scene.join()
    for number in range(100):
        scene.register(ADA, f"{STRANGERS_PASSWORD} number {number}")
    scene.register(ADA, PASSWORD)
    with refused(Failure.UNVERIFIED):
        scene.log_in(ADA, PASSWORD)


def test_signing_in_by_password_leaves_decoys_unchanged(scene: Scene) -> None:
    scene.join()
    scene.register(ADA, STRANGERS_PASSWORD)
    scene.log_in()
    with refused(Failure.UNVERIFIED):
        scene.log_in(ADA, STRANGERS_PASSWORD)


@pytest.mark.parametrize("prove", [Scene.log_in_by_email, lambda scene: scene.reset(scene.ask_reset())])
def test_a_mailbox_proof_ends_decoys(scene: Scene, prove: Callable[[Scene], object]) -> None:
    scene.join()
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    prove(scene)
    with refused_as_wrong():
        scene.log_in(ADA, STRANGERS_PASSWORD)
    assert scene.resend(registration) == ADA
    assert scene.mails()[-1].notice is Notice.ACCOUNT_EXISTS


def test_a_ban_is_not_revealed_to_who_registered_the_address_before(scene: Scene) -> None:
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    scene.ban()
    with refused(Failure.UNVERIFIED) as refusal:
        scene.log_in(ADA, STRANGERS_PASSWORD)
    assert pending_registration(refusal) == registration
    mails = len(scene.mails())
    assert scene.resend(registration) == ADA
    assert len(scene.mails()) == mails
    assert len(scene.rows(select(OutboxMail).where(OutboxMail.c.state == MailState.DECOY))) == 1


def test_lifting_a_ban_restores_nothing_that_it_ended(scene: Scene) -> None:
    registration = scene.register(ADA, STRANGERS_PASSWORD)
    token = scene.token(Notice.VERIFY)
    scene.ban()
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))
    scene.resend(registration)
    assert [mail.token for mail in scene.mails()] == [token]
    with refused(Failure.LINK_ENDED):
        scene.confirm(token, browser=registration)
    assert scene.via_api().magic_auth()  # of a contact without a pending registration


def test_a_refused_sign_in_is_recorded_on_the_contact(scene: Scene) -> None:
    scene.join()
    scene.register(ADA, STRANGERS_PASSWORD)
    with refused(Failure.UNVERIFIED):
        scene.log_in(ADA, STRANGERS_PASSWORD)
    [newest] = scene.rows(
        select(Event.c.kind, Event.c.refusal, Event.c.contact_id).order_by(Event.c.id.desc()).limit(1)
    )
    [(contact_id,)] = scene.rows(select(Contact.c.id))
    assert newest == ("sign_in", "UNVERIFIED", contact_id)


def test_a_decoy_is_stored_as_a_decoy(scene: Scene) -> None:
    scene.join()
    scene.register(ADA, SECOND_PASSWORD)
    found = scene.rows(select(Registration.c.is_decoy, Registration.c.ended_at).order_by(Registration.c.id))
    assert [(row.is_decoy, row.ended_at is None) for row in found] == [(False, False), (True, True)]
