"""Notices by email: their causes, and the bundling of new sign-ins."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.errors import Failure
from portal.domain.notices import MAX_BUNDLED
from portal.domain.operations import mail_delivery
from portal.domain.operations.clock_steps import bring_forward
from portal.domain.operations.mail_queue import queued_mails
from portal.domain.outbox import BUNDLING, Notice
from portal.domain.use_cases.confirm_registration import confirm, get_confirmation
from portal.domain.use_cases.set_new_password import get_reset_link, reset_and_sign_in
from portal.storage.models import Contact, Link, OutboxMail
from tests.conftest import MovableClock
from tests.domain.instrumentation import in_parallel
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused

MINUTE = timedelta(minutes=1)


def notices(scene: Scene) -> int:
    return len(scene.mails(Notice.NEW_SIGN_IN))


def listed(scene: Scene) -> list[list[str]]:
    """Return the user agents of the further sign-ins that each notice lists, oldest first."""
    found = scene.rows(
        select(OutboxMail.c.details).where(OutboxMail.c.notice == Notice.NEW_SIGN_IN).order_by(OutboxMail.c.id)
    )
    return [[sign_in["userAgent"] for sign_in in details.get("signIns", ())] for (details,) in found]


def with_browser(scene: Scene, name: str) -> Scene:
    return replace(scene, visitor=replace(scene.visitor, user_agent=name, ip="198.51.100.7", device=None))


def claim(scene: Scene, claim_id: str = "c" * 32) -> mail_delivery.DueMail | None:
    with scene.context.database.write() as connection:
        return mail_delivery.claim_next(connection, scene.context.clock, claim_id)


def send_all(scene: Scene) -> list[str]:
    """Send all due emails; return the notices."""
    sent = []
    while (mail := claim(scene)) is not None:
        with scene.context.database.write() as connection:
            assert mail_delivery.mark_sent(connection, mail, scene.context.clock)
        sent.append(mail.notice)
    return sent


class TestNewSignIns:
    def test_none_for_the_first_sign_in(self, scene: Scene) -> None:
        scene.join()
        scene.add_imported("petr@example.com")
        scene.log_in("petr@example.com")
        scene.add_guest("guest@example.com")
        scene.log_in_by_email("guest@example.com")
        assert notices(scene) == 0

    def test_a_notice_of_a_new_browser_has_its_name_and_address(self, scene: Scene) -> None:
        scene.join()
        with_browser(scene, "Firefox/145.0").log_in()
        (mail,) = scene.mails(Notice.NEW_SIGN_IN)
        assert mail.recipient == ADA
        row = scene.rows(
            select(OutboxMail.c.ip, OutboxMail.c.user_agent, OutboxMail.c.is_urgent, Link.c.expires_at)
            .join(Link, Link.c.id == OutboxMail.c.link_id)
            .where(OutboxMail.c.notice == Notice.NEW_SIGN_IN)
        )[0]
        assert tuple(row) == ("198.51.100.7", "Firefox/145.0", False, scene.context.clock() + NOTICE_LINK_LIFETIME)

    def test_none_in_a_known_browser(self, scene: Scene) -> None:
        scene.join()
        known = scene.in_known_browser()
        assert notices(scene) == 1
        send_all(scene)
        known.log_in()
        known.log_in_by_email()
        assert notices(scene) == 0

    def test_a_browser_that_only_another_customer_used_is_new(self, scene: Scene) -> None:
        scene.join()
        scene.join("eve@example.com")
        scene.in_known_browser("eve@example.com").log_in()
        assert [mail.recipient for mail in scene.mails(Notice.NEW_SIGN_IN)] == ["eve@example.com", ADA]

    def test_none_for_a_wrong_password(self, scene: Scene) -> None:
        scene.join()
        scene.fail_to_log_in(times=3)
        assert notices(scene) == 0

    def test_none_for_a_sign_in_at_a_shops_server(self, scene: Scene) -> None:
        scene.join()
        shop = scene.via_api("203.0.113.9")
        shop.log_in()
        shop.magic_auth()
        assert notices(scene) == 0

    def test_a_sign_in_by_email_counts(self, scene: Scene) -> None:
        scene.join()
        scene.log_in_by_email()
        assert notices(scene) == 1

    def test_a_confirmation_counts_of_a_customer_who_was_signed_in_before(self, scene: Scene) -> None:
        scene.magic_auth()
        public_id = scene.register()
        found = get_confirmation(scene.context, scene.visitor, scene.token(Notice.VERIFY), registration=public_id)
        confirm(scene.context, scene.visitor, found, None, remember=False, replacing=None)
        assert notices(scene) == 1

    @pytest.mark.parametrize(
        ("password", "notice"), [(PASSWORD, Notice.NEW_SIGN_IN), (SECOND_PASSWORD, Notice.PASSWORD_CHANGED)]
    )
    def test_a_reset_sends_one_notice(self, scene: Scene, password: str, notice: Notice) -> None:
        scene.join()
        link = get_reset_link(scene.context, scene.visitor, scene.ask_reset())
        send_all(scene)
        reset_and_sign_in(scene.context, scene.visitor, link, password, remember=False, replacing=None)
        assert [mail.notice for mail in scene.mails()] == [notice]

    def test_it_counts_against_no_limit(self, scene: Scene, clock: MovableClock) -> None:
        scene.join()
        for _ in range(20):
            scene.log_in()
            send_all(scene)
            clock.advance(BUNDLING)
        scene.request_reset()


class TestBundling:
    def test_the_first_is_sent_at_once_and_the_others_together_after_an_hour(
        self, scene: Scene, clock: MovableClock
    ) -> None:
        scene.join()
        with_browser(scene, "one").log_in()
        assert send_all(scene).count(Notice.NEW_SIGN_IN) == 1
        for name in ("two", "three", "four"):
            clock.advance(MINUTE)
            with_browser(scene, name).log_in()
        assert notices(scene) == 1
        clock.advance(BUNDLING - 3 * MINUTE - timedelta(seconds=1))
        assert send_all(scene) == []
        clock.advance(timedelta(seconds=1))
        assert send_all(scene) == [Notice.NEW_SIGN_IN]
        assert listed(scene) == [[], ["three", "four"]]

    def test_the_hour_begins_with_each_email(self, scene: Scene, clock: MovableClock) -> None:
        scene.join()
        times = []
        for minute in range(240):
            scene.log_in()
            times += [minute for notice in send_all(scene) if notice == Notice.NEW_SIGN_IN]
            clock.advance(MINUTE)
        assert times == [0, 60, 120, 180]

    def test_sign_ins_before_the_first_is_sent_go_with_it(self, scene: Scene) -> None:
        scene.join()
        for name in ("one", "two"):
            with_browser(scene, name).log_in()
        assert listed(scene) == [["two"]]

    def test_a_sign_in_while_an_email_is_being_sent_is_not_lost(self, scene: Scene) -> None:
        scene.join()
        send_all(scene)
        scene.log_in()
        assert claim(scene) is not None
        with_browser(scene, "meanwhile").log_in()
        assert listed(scene) == [[], []]
        ((due_at, user_agent),) = scene.rows(
            select(OutboxMail.c.due_at, OutboxMail.c.user_agent).order_by(OutboxMail.c.id.desc()).limit(1)
        )
        assert (due_at, user_agent) == (scene.context.clock() + BUNDLING, "meanwhile")

    def test_an_email_lists_a_bounded_number(self, scene: Scene) -> None:
        scene.join()
        for _ in range(MAX_BUNDLED + 5):
            scene.log_in()
        assert [len(one) for one in listed(scene)] == [MAX_BUNDLED]

    def test_an_email_to_a_former_address_is_left_alone(self, scene: Scene) -> None:
        scene.join()
        scene.log_in()
        scene.change_row(update(Contact).values(email="new@example.com", email_key="new@example.com"))
        scene.log_in("new@example.com")
        assert [mail.recipient for mail in scene.mails(Notice.NEW_SIGN_IN)] == [ADA, "new@example.com"]
        assert listed(scene) == [[], []]

    def test_a_queued_email_that_is_due_later_is_no_backlog(self, scene: Scene, clock: MovableClock) -> None:
        scene.join()
        scene.log_in()
        send_all(scene)
        scene.log_in()
        with scene.context.database.read() as connection:
            assert queued_mails(connection, clock) == (0, timedelta(0))
        clock.advance(BUNDLING + 2 * MINUTE)
        with scene.context.database.read() as connection:
            assert queued_mails(connection, clock) == (1, 2 * MINUTE)

    def test_it_waits_for_its_hour_unless_the_clock_was_set_back(self, scene: Scene, clock: MovableClock) -> None:
        scene.join()
        scene.log_in()
        send_all(scene)
        scene.log_in()
        assert bring_forward(scene.context.database, clock) == 0
        clock.advance(-MINUTE)
        assert bring_forward(scene.context.database, clock) == 1
        assert send_all(scene) == [Notice.NEW_SIGN_IN]

    @pytest.mark.differs_on_postgresql
    def test_parallel_sign_ins_are_listed_in_one_email(self, scene: Scene) -> None:
        scene.join()
        browsers = [with_browser(scene, f"number {number}") for number in range(4)]
        assert all(isinstance(one, str) for one in in_parallel([browser.log_in for browser in browsers]))
        assert [len(one) for one in listed(scene)] == [3]


def test_a_notice_is_sent_though_its_link_has_ended(scene: Scene) -> None:
    identity = scene.join()
    scene.log_in()
    token = scene.token(Notice.NEW_SIGN_IN)
    scene.change(identity, PASSWORD, SECOND_PASSWORD)
    with refused(Failure.LINK_ENDED):
        scene.open_not_me(token)
    assert {Notice.NEW_SIGN_IN, Notice.PASSWORD_CHANGED} <= set(send_all(scene))
