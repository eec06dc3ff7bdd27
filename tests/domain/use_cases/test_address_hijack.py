"""An attacker with a session changes the address; the owner gets the account back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.errors import Failure, Refused
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.retention import purge
from portal.domain.outbox import Notice
from portal.domain.use_cases.end_session import end_session
from portal.domain.use_cases.report_not_me import get_not_me_link, report_not_me
from portal.domain.values.email import parse_email
from portal.storage.models import Device, Identity
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import (
    NEW,
    address_of,
    ask,
    change,
    confirm,
    emails,
    undo,
)


def end_one(scene: Scene, identity: str) -> None:
    (other,) = scene.rows(select(Identity.c.id).where(Identity.c.id != scene.get(identity).identity_id))
    end_session(scene.context, scene.visitor, scene.get(identity), other.id)


def end_all(scene: Scene, identity: str) -> None:
    end_sessions(scene.context, scene.visitor.organisation_id, parse_email(ADA))


class TestAHijack:
    """An attacker with a session changes the address and other things."""

    def test_the_owner_cancels_the_request_by_its_notice(self, scene: Scene) -> None:
        scene.join()
        attacker = scene.elsewhere("198.51.100.66")
        stolen = attacker.log_in()
        token = ask(attacker, stolen, "eve@example.org")
        link = get_not_me_link(scene.context, scene.visitor, scene.token(Notice.ADDRESS_REQUESTED))
        report_not_me(scene.context, scene.visitor, link)
        assert not scene.is_signed_in(stolen)
        with refused(Failure.LINK_ENDED):
            confirm(attacker, token)

    @pytest.mark.parametrize("end", [end_one, Scene.end_others, end_all])
    def test_the_owner_ends_the_session_and_so_the_request(
        self, scene: Scene, clock: MovableClock, end: Callable[[Scene, str], None]
    ) -> None:
        owner, stolen = scene.join(), scene.elsewhere("198.51.100.66").log_in()
        token = ask(scene, stolen, "eve@example.org")
        clock.advance(timedelta(minutes=1))
        end(scene, owner)
        with refused(Failure.LINK_ENDED):
            confirm(scene, token)

    def test_the_end_of_other_sessions_leaves_the_owners_request(self, scene: Scene) -> None:
        owner = scene.join()
        scene.log_in()
        token = ask(scene, owner)
        scene.end_others(owner)
        confirm(scene, token)
        assert address_of(scene, owner) == NEW

    def test_the_first_proof_of_the_mailbox_ends_the_request(self, scene: Scene) -> None:
        scene.add_imported()
        token = ask(scene, scene.log_in(), "eve@example.org")
        scene.log_in_by_email()
        with refused(Failure.LINK_ENDED):
            confirm(scene, token)

    def test_the_owner_is_alone_again(self, scene: Scene, clock: MovableClock) -> None:
        owner, attacker = scene.join(), scene.elsewhere("198.51.100.66")
        stolen = attacker.log_in()
        first = change(attacker, stolen, "eve@example.org")
        clock.advance(timedelta(minutes=1))
        attacker.reset(attacker.ask_reset("eve@example.org"), SECOND_PASSWORD)
        stolen = attacker.log_in("eve@example.org", SECOND_PASSWORD)
        attacker.remember(stolen)
        second = change(attacker, stolen, "eve@example.net")
        reset = undo(scene, first)
        assert emails(scene) == [ADA]
        assert [scene.is_signed_in(identity) for identity in (owner, stolen)] == [False, False]
        for email in (ADA, "eve@example.org", "eve@example.net"):
            with pytest.raises(Refused):
                attacker.log_in(email, SECOND_PASSWORD)
        with refused(Failure.LINK_ENDED):
            undo(attacker, second)
        scene.reset(reset, "ember walnut glacier 58")
        assert scene.log_in(ADA, "ember walnut glacier 58")
        assert scene.count(Device) == 0

    def test_the_erasure_of_an_address_on_the_way_does_not_end_the_undo(self, scene: Scene) -> None:
        """The attacker registers the address that the account had in between, and has it erased."""
        identity = scene.join()
        first = change(scene, identity, "eve@example.org")
        change(scene, identity, "eve@example.net")
        scene.register("eve@example.org", SECOND_PASSWORD)
        delete_customer(scene.context, scene.visitor.organisation_id, parse_email("eve@example.org"))
        undo(scene, first)
        assert emails(scene) == [ADA]

    @pytest.mark.parametrize("grace", [timedelta(days=14), timedelta(0)])
    def test_the_owner_gets_a_closed_account_back(self, scene: Scene, clock: MovableClock, grace: timedelta) -> None:
        scene = scene.with_rules(deletion_grace=grace)
        token = change(scene, scene.join())
        assert scene.close(scene.log_in(NEW))
        with refused(Failure.UNKNOWN_CONTACT):
            scene.log_in(NEW)
        clock.advance(NOTICE_LINK_LIFETIME - timedelta(seconds=1))
        purge(scene.context)
        scene.reset(undo(scene, token), SECOND_PASSWORD)
        assert scene.get(scene.log_in(ADA, SECOND_PASSWORD)).email == ADA

    def test_the_owner_gets_an_account_back_that_has_a_new_password_and_is_closed(
        self, scene: Scene, clock: MovableClock
    ) -> None:
        token = change(scene, scene.join())
        clock.advance(timedelta(minutes=1))
        scene.reset(scene.ask_reset(NEW), SECOND_PASSWORD)
        assert scene.close(scene.log_in(NEW, SECOND_PASSWORD))
        reset = undo(scene, token)
        with refused(Failure.NO_ACCOUNT):  # the attacker's password is removed
            scene.via_api().log_in(ADA, SECOND_PASSWORD)
        scene.reset(reset, "ember walnut glacier 58")
        assert scene.log_in(ADA, "ember walnut glacier 58")

    def test_a_password_that_the_attacker_knows_does_not_get_in_again(self, scene: Scene) -> None:
        scene.join()
        attacker = scene.in_known_browser()
        reset = undo(scene, change(attacker, attacker.log_in()))
        for visitor in (attacker, scene.elsewhere("198.51.100.66")):
            with refused(Failure.PASSWORD_LOCKED):
                visitor.log_in(ADA)
        scene.reset(reset, SECOND_PASSWORD)
        assert scene.log_in(ADA, SECOND_PASSWORD)

    def test_a_password_that_the_attacker_set_never_works_again(self, scene: Scene, clock: MovableClock) -> None:
        scene.join()
        attacker = scene.in_known_browser()
        stolen = attacker.log_in()
        clock.advance(timedelta(minutes=1))
        token = change(attacker, stolen)
        clock.advance(timedelta(minutes=1))
        attacker.change(stolen, PASSWORD, SECOND_PASSWORD)
        undo(scene, token)
        assert scene.is_signed_in(scene.log_in_by_email())  # this unlocks a password
        for password in (PASSWORD, SECOND_PASSWORD):
            with refused(Failure.NO_ACCOUNT):
                attacker.log_in(ADA, password)
