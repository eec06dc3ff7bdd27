"""A closed account is unknown at once, can be kept for a while, and is then erased."""

import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import delete, select, update

from portal.domain.errors import Failure
from portal.domain.operations.retention import purge
from portal.domain.outbox import MailState, Notice
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.close_account import close_account, get_keep_link, keep_account
from portal.domain.use_cases.set_first_password import set_first_password
from portal.domain.use_cases.set_new_password import get_reset_link, reset_and_sign_in
from portal.storage.models import Account, Contact, Event, Identity, Link, OutboxMail
from tests.conftest import MovableClock
from tests.domain.full_customer import EMAIL, FullCustomer, create_full_customer
from tests.domain.operations.test_delete_customer import everything, send_all
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused

GRACE = timedelta(days=14)
A_MOMENT = timedelta(seconds=1)


@pytest.fixture
def closed(scene: Scene) -> Scene:
    """The portal, with a customer who has closed the account."""
    assert scene.close(scene.join())
    return scene


def test_every_session_and_link_ends_at_once(scene: Scene) -> None:
    first, reset = scene.join(), scene.ask_reset()
    at_shop = scene.via_api().log_in()
    assert scene.close(scene.log_in())
    assert not scene.is_signed_in(first)
    assert not scene.is_signed_in(at_shop)
    with refused(Failure.LINK_ENDED):
        get_reset_link(scene.context, scene.visitor, reset)


def test_a_link_that_was_open_a_moment_before_has_ended(scene: Scene) -> None:
    customer = scene.join()
    link = get_reset_link(scene.context, scene.visitor, scene.ask_reset())
    assert scene.close(customer)
    with refused(Failure.LINK_ENDED):
        reset_and_sign_in(scene.context, scene.visitor, link, SECOND_PASSWORD, remember=False, replacing=None)


@pytest.mark.parametrize("email", [ADA, "nobody@example.com"])
def test_a_closed_account_is_answered_as_an_unknown_address(closed: Scene, email: str) -> None:
    with refused(Failure.UNKNOWN_CONTACT):
        closed.log_in(email)
    with refused(Failure.UNKNOWN_CONTACT):
        closed.via_api().log_in(email)
    mails = len(closed.mails())
    closed.request_reset(email)
    closed.via_api().request_reset(email)
    assert len(closed.mails()) == mails


def test_a_shop_cannot_sign_a_closed_account_in(closed: Scene) -> None:
    before = closed.count(Contact)
    with refused(Failure.UNKNOWN_CONTACT):
        closed.via_api().magic_auth()
    assert (closed.count(Contact), closed.rows(select(Identity).where(Identity.c.ended_at.is_(None)))) == (before, [])


def test_a_known_browser_of_a_closed_account_is_no_longer_known(scene: Scene) -> None:
    scene.join()
    browser = scene.in_known_browser()
    browser.close(browser.log_in())
    browser.fail_to_log_in(times=10)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in()


@pytest.mark.parametrize("register", [Scene.register, lambda scene: scene.via_api().register_by_api()])
def test_a_registration_with_the_address_emails_a_link_that_keeps_the_account(
    closed: Scene, clock: MovableClock, register: Callable[[Scene], object]
) -> None:
    clock.advance(timedelta(days=3))
    register(closed)
    (mail,) = closed.mails(Notice.KEEP)
    assert mail.recipient == ADA
    assert closed.rows(select(Link.c.expires_at).where(Link.c.purpose == "keep").order_by(Link.c.id.desc()))[0] == (
        clock() - timedelta(days=3) + GRACE,
    )
    closed.keep(mail.token)
    assert closed.log_in()


def test_the_api_refuses_another_registration_within_ten_minutes_as_for_an_unknown_address(closed: Scene) -> None:
    for email in (ADA, "nobody@example.com"):
        closed.via_api().register_by_api(email)
        with refused(Failure.TOO_MANY_REGISTRATIONS):
            closed.via_api().register_by_api(email)
    assert len(closed.mails(Notice.KEEP)) == 1


def test_the_browser_that_registered_learns_nothing_of_the_account(closed: Scene) -> None:
    registration = closed.register(ADA, SECOND_PASSWORD)
    assert closed.resend(registration) == ADA
    assert len(closed.mails(Notice.KEEP)) == 2
    closed.keep(closed.token(Notice.KEEP))
    with refused(Failure.WRONG_PASSWORD):
        closed.log_in(ADA, SECOND_PASSWORD)


def test_keeping_brings_the_account_back_as_it_was(scene: Scene) -> None:
    contact = select(Contact.c.email, Contact.c.confirmed_at, Contact.c.proven_at, Account.c.password_hash).outerjoin(
        Account
    )
    identity = scene.join()
    before = scene.rows(contact)
    scene.close(identity)
    scene.keep()
    assert scene.rows(contact) == before
    assert not scene.is_signed_in(identity)
    assert scene.is_signed_in(scene.log_in())
    kinds = scene.rows(select(Event.c.kind).order_by(Event.c.id))
    assert [kind for (kind,) in kinds][-3:] == ["close", "keep", "sign_in"]


def test_a_link_keeps_an_account_once_and_ends_the_others(closed: Scene) -> None:
    closed.register()
    first, second = closed.token(Notice.CLOSED), closed.token(Notice.KEEP)
    closed.keep(first)
    for token in (first, second):
        with refused(Failure.LINK_ENDED):
            closed.keep(token)


def test_keeping_unlocks_a_password_that_strangers_have_locked(closed: Scene) -> None:
    closed.change_row(update(Contact).values(failed_passwords=100, failed_codes=100))
    closed.keep()
    assert closed.log_in()


def test_the_link_lasts_as_long_as_the_grace(closed: Scene, clock: MovableClock) -> None:
    token = closed.token(Notice.CLOSED)
    clock.advance(GRACE - A_MOMENT)
    assert get_keep_link(closed.context, closed.visitor, token).email == ADA
    assert purge(closed.context)["closed account"] == 0
    clock.advance(A_MOMENT)
    with refused(Failure.LINK_EXPIRED):
        closed.keep(token)


def test_after_the_grace_the_account_is_erased_and_the_address_is_new(
    scene: Scene, clock: MovableClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    customer: FullCustomer = create_full_customer(scene)
    identity = customer.identity
    scene.change_row(update(Identity).values(proved_at=clock()))
    scene.close(identity)
    clock.advance(GRACE)
    scene.fail_to_log_in(EMAIL)
    assert purge(scene.context)["closed account"] == 1
    assert purge(scene.context)["closed account"] == 0
    assert [(mail.notice, mail.recipient) for mail in scene.mails(Notice.ERASED)] == [(Notice.ERASED, EMAIL)]
    send_all(scene)
    assert [trace for trace in customer.traces if trace in everything(scene) + caplog.text] == []
    assert "delete contact=None" in caplog.text
    assert scene.is_signed_in(scene.join(EMAIL))


def test_without_grace_it_is_erased_at_once(scene: Scene) -> None:
    at_once = scene.with_rules(deletion_grace=timedelta(0))
    customer = create_full_customer(at_once)
    scene.change_row(update(Identity).values(proved_at=scene.context.clock()))
    assert at_once.close(customer.identity)
    assert at_once.mails(Notice.CLOSED) == []
    send_all(at_once)
    assert [trace for trace in customer.traces if trace in everything(at_once)] == []
    assert at_once.rows(select(Event.c.kind, Event.c.contact_id, Event.c.ip).order_by(Event.c.id.desc()).limit(1)) == [
        ("delete", None, None)
    ]


def test_it_needs_a_recent_proof_and_nothing_happens_without(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    clock.advance(RECENT)
    with pytest.raises(NotRecentlyAuthenticated):
        scene.close(identity)
    assert scene.is_signed_in(identity)


def test_a_session_that_has_ended_meanwhile_closes_nothing(scene: Scene) -> None:
    customer = scene.get(scene.join())
    scene.reset(scene.ask_reset())
    assert not close_account(scene.context, scene.visitor, customer)
    assert scene.log_in(ADA, SECOND_PASSWORD)


def test_an_account_that_is_closed_or_erased_meanwhile_stays_so(closed: Scene) -> None:
    closed.keep()
    customer = closed.get(closed.log_in())
    assert close_account(closed.context, closed.visitor, customer)
    assert close_account(closed.context, closed.visitor, customer)
    assert len(closed.mails(Notice.CLOSED)) == 2
    closed.change_row(delete(Contact))
    assert close_account(closed.context, closed.visitor, customer)


def test_no_change_that_was_begun_before_reaches_a_closed_account(scene: Scene) -> None:
    identity = scene.join()
    scene.change_row(delete(Account))
    customer = scene.get(identity)
    scene.close(identity)
    with refused(Failure.PASSWORD_REFUSED):
        set_first_password(scene.context, scene.visitor, customer, SECOND_PASSWORD, remember=False)
    with refused(Failure.WRONG_PASSWORD):
        change_password(scene.context, scene.visitor, customer, PASSWORD, SECOND_PASSWORD, remember=False)
    assert scene.count(Account) == 0


def test_a_ban_ends_the_links_that_keep_and_sends_no_more(closed: Scene) -> None:
    token = closed.token(Notice.CLOSED)
    closed.ban()
    with refused(Failure.LINK_ENDED):
        closed.keep(token)
    closed.register()
    assert closed.mails(Notice.KEEP) == []
    decoys = select(OutboxMail.c.id).where(OutboxMail.c.state == MailState.DECOY)
    assert len(closed.rows(decoys)) == 1


@pytest.mark.differs_on_postgresql
def test_a_keeping_and_an_erasure_at_the_same_moment_have_one_outcome(closed: Scene, clock: MovableClock) -> None:
    """The link was opened before it expired; it is purged afterwards."""
    link = get_keep_link(closed.context, closed.visitor, closed.token(Notice.CLOSED))
    closed.change_row(update(Contact).values(erase_at=clock()))
    barrier, outcomes = Barrier(2), list[str]()

    def keep() -> None:
        barrier.wait()
        try:
            keep_account(closed.context, closed.visitor, link)
            outcomes.append("kept")
        except Exception as error:  # noqa: BLE001 - named in the assertion
            outcomes.append(str(error))

    thread = Thread(target=keep)
    thread.start()
    barrier.wait()
    erased = purge(closed.context)["closed account"]
    thread.join()
    assert (outcomes, erased, closed.count(Contact)) in (
        (["kept"], 0, 1),
        (["LINK_ENDED"], 1, 0),
    )


def test_a_session_that_has_not_ended_would_not_count(scene: Scene) -> None:
    identity = scene.join()
    scene.close(identity)
    scene.change_row(update(Identity).values(ended_at=None))
    assert not scene.is_signed_in(identity)
