"""Registration: what is stored and emailed, and that no other customer's contact is changed."""

from datetime import timedelta

import pytest
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.outbox import MailState, Notice
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.domain.use_cases.resend_confirmation import resend
from portal.storage.models import Account, Contact, Identity, Link, OutboxMail, Registration
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel, wait_until
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, pending_registration, refused

KEPT = [column for column in Contact.columns if column.name != "failed_passwords"]
"""The columns of a contact that a registration must not change; its password is counted as an attempt."""


def test_a_registration_creates_no_account_yet(scene: Scene) -> None:
    scene.register(first_name="Ada", phone="+420 777123456", newsletter=True)
    contact = scene.rows(select(Contact))[0]
    assert (contact.email, contact.confirmed_at, contact.first_name, contact.phone) == (ADA, None, None, None)
    assert contact.newsletter is False
    assert (scene.count(Account), scene.count(Identity)) == (0, 0)
    [mail] = scene.mails()
    assert (mail.notice, mail.recipient) == (Notice.VERIFY, ADA)
    assert mail.token


def test_registering_one_address_twice_leaves_one_contact_and_two_links_that_work(scene: Scene) -> None:
    first, second = scene.register(), scene.register(ADA, SECOND_PASSWORD)
    assert first != second
    assert scene.count(Contact) == 1
    links = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    assert len(set(links)) == 2
    scene.confirm(links[0], browser=first)
    assert scene.log_in(ADA, PASSWORD)


def test_each_registration_is_confirmed_with_its_own_password(scene: Scene) -> None:
    scene.register()
    scene.register(ADA, SECOND_PASSWORD)
    tokens = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    with refused(Failure.WRONG_PASSWORD):
        scene.confirm(tokens[1], password=PASSWORD)
    assert scene.confirm(tokens[1], password=SECOND_PASSWORD)
    assert scene.log_in(ADA, SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, PASSWORD)


@pytest.mark.differs_on_postgresql
def test_parallel_registrations_of_a_new_address_leave_one_contact(scene: Scene, hashes: HashCounter) -> None:
    scene = scene.without_limits()
    passwords = [f"{PASSWORD} number {number}" for number in range(8)]
    hashes.gate.clear()  # until all threads have found the address to be new

    def open_when_all_hash() -> str:
        wait_until(lambda: scene.context.hasher._admitted == 8)
        hashes.gate.set()
        return "opened"

    works = [lambda password=password: scene.register(ADA, password) for password in passwords]
    *public_ids, opened = in_parallel([*works, open_when_all_hash])
    assert opened == "opened"
    assert len(set(public_ids)) == scene.count(Registration) == len(scene.mails(Notice.VERIFY)) == 8
    assert scene.count(Contact) == 1
    # Each password is stored, and all were hashed with the salt of the one contact, in any order.
    assert hashes.during(scene.fail_to_log_in) == 1
    named = []
    for password in passwords:
        with refused(Failure.UNVERIFIED) as refusal:
            scene.log_in(ADA, password)
        named.append(pending_registration(refusal))
    assert named == public_ids


def test_registering_an_existing_account_emails_its_owner(scene: Scene) -> None:
    scene.join(first_name="Ada")
    before = scene.rows(select(*KEPT))
    scene.register(ADA, SECOND_PASSWORD, first_name="Eve", last_name="Rook", phone="+420 777123456")
    mail = scene.mails()[-1]
    assert (mail.notice, mail.recipient, mail.token) == (Notice.ACCOUNT_EXISTS, ADA, None)
    assert scene.rows(select(*KEPT)) == before
    assert scene.rows(select(Contact.c.failed_passwords)) == [(1,)]
    assert scene.log_in(ADA, PASSWORD)


def test_an_email_about_an_account_goes_to_the_address_on_record_not_the_spelling_typed(scene: Scene) -> None:
    scene.join("ada@gmail.com")
    scene.register("a.d.a+eve@googlemail.com", SECOND_PASSWORD)
    assert scene.mails()[-1].recipient == "ada@gmail.com"


def test_registering_an_existing_account_leaves_no_pending_registration(scene: Scene) -> None:
    scene.join()
    scene.register(ADA, SECOND_PASSWORD)
    with refused(Failure.WRONG_PASSWORD):
        scene.via_api().log_in(ADA, SECOND_PASSWORD)
    [link] = scene.rows(select(Link).order_by(Link.c.id.desc()).limit(1))
    token = scene._sign(link.purpose, link.public_id)
    with refused(Failure.ALREADY_CONFIRMED):
        scene.confirm(token, password=SECOND_PASSWORD)


@pytest.mark.parametrize("as_guest", [True, False])
def test_a_banned_customer_gets_no_email_about_a_registration(scene: Scene, as_guest: bool) -> None:
    if as_guest:
        scene.add_guest()
    else:
        scene.join()
    scene.ban()
    mails = len(scene.mails())
    public_id = scene.register(ADA, SECOND_PASSWORD)
    assert resend(scene.context, scene.visitor, public_id) == ADA
    assert len(scene.mails()) == mails
    voids = scene.rows(select(OutboxMail).where(OutboxMail.c.state == MailState.DECOY))
    assert [void.recipient for void in voids] == [None, None]


def test_a_registration_does_not_change_a_guest_until_the_mailbox_is_proven(scene: Scene) -> None:
    scene.add_guest(first_name="Ada", phone=None)
    before = scene.rows(select(*KEPT))
    scene.register(first_name="Eve", last_name="Rook", phone="+420 777123456", newsletter=True)
    assert scene.rows(select(*KEPT)) == before


def test_resending_the_email_keeps_earlier_links_valid(scene: Scene) -> None:
    public_id = scene.register()
    assert resend(scene.context, scene.visitor, public_id) == ADA
    first, second = [mail.token or "" for mail in scene.mails(Notice.VERIFY)]
    assert first != second
    scene.confirm(first, browser=public_id)
    with refused(Failure.ALREADY_CONFIRMED):
        scene.confirm(second, browser=public_id)


def test_registration_emails_are_limited_alike_for_known_and_unknown_addresses(scene: Scene) -> None:
    scene.join("known@example.com")
    for email in ("known@example.com", "unknown@example.com"):
        public_id = ""
        for _ in range(4 if email.startswith("known") else 5):
            public_id = scene.register(email, SECOND_PASSWORD)
        with refused(Failure.TOO_MANY_REGISTRATIONS) as refusal:
            scene.register(email, SECOND_PASSWORD)
        assert refusal.value.retry_after
        with refused(Failure.TOO_MANY_MAILS):
            resend(scene.context, scene.visitor, public_id)
        # An attacker's registrations must not use up the emails that the customer signs in with.
        scene.elsewhere("198.51.100.9").request_reset(email)


def test_a_registration_is_counted_by_network_before_hashing(scene: Scene, hashes: HashCounter) -> None:
    scene = scene.with_rules(mail_limit_network=parse_limit("1000 per hour"))
    for number in range(20):
        scene.register(f"ada{number}@example.com")
    before = hashes.computed
    with refused(Failure.TOO_MANY_REGISTRATIONS):
        scene.register("ada20@example.com")
    assert hashes.computed == before
    assert scene.elsewhere("198.51.100.9").register("ada20@example.com")


def test_an_unknown_registration_is_not_sent_again(scene: Scene, clock: MovableClock) -> None:
    public_id = scene.register()
    assert resend(scene.context, scene.visitor, "A" * 32) is None
    assert resend(scene.context, scene.at_another_organisation().visitor, public_id) is None
    clock.advance(PENDING_LIFETIME - timedelta(seconds=1))
    assert resend(scene.context, scene.visitor, public_id) == ADA
    clock.advance(timedelta(seconds=1))
    assert resend(scene.context, scene.visitor, public_id) is None


@pytest.mark.parametrize("password", ["short", "password1", "ada@example.com", "Customer portal", "lovelace1815"])
def test_a_refused_password_gets_a_reason_and_nothing_is_stored(
    scene: Scene, hashes: HashCounter, password: str
) -> None:
    before = hashes.computed
    with refused(Failure.REGISTRATION_FAILED) as refusal:
        scene.register(ADA, password, last_name="Lovelace")
    assert refusal.value.field == "password"
    assert refusal.value.detail
    assert (scene.count(Contact), scene.count(Registration), scene.mails()) == (0, 0, [])
    assert hashes.computed == before
