"""A change of address is undone, and the former address is kept for that."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import update

from portal.domain.context import NOTICE_LINK_LIFETIME
from portal.domain.errors import Failure
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.import_customers import Row, begin_import
from portal.domain.operations.retention import LINK_RETENTION, purge
from portal.domain.outbox import MailState, Notice
from portal.domain.use_cases.request_address_change import (
    request_address_change,
)
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.values.email import parse_email
from portal.storage.models import AddressChange, Device, OutboxMail
from tests.conftest import MovableClock
from tests.domain.scene import ADA, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import (
    BOB,
    NEW,
    THIRD,
    ask,
    change,
    confirm,
    emails,
    events,
    request_sign_in_link,
    undo,
)


class TestAnUndo:
    def test_brings_the_address_back_and_ends_every_session(self, scene: Scene) -> None:
        here, there = scene.join(), scene.log_in()
        reset = undo(scene, change(scene, here))
        assert [scene.is_signed_in(identity) for identity in (here, there)] == [False, False]
        assert emails(scene) == [ADA]
        assert [(mail.notice, mail.recipient) for mail in scene.mails()[-2:]] == [
            (Notice.ADDRESS_RESTORED, ADA),
            (Notice.ADDRESS_UNDONE, NEW),
        ]
        with refused(Failure.PASSWORD_LOCKED):
            scene.log_in()
        scene.reset(reset, SECOND_PASSWORD)
        assert scene.log_in(ADA, SECOND_PASSWORD)
        assert events(scene)[-1] == ("address_change_undo", None)

    def test_can_be_done_for_72_hours_and_once(self, scene: Scene, clock: MovableClock) -> None:
        token = change(scene, scene.join())
        clock.advance(NOTICE_LINK_LIFETIME - timedelta(seconds=1))
        undo(scene, token)
        with refused(Failure.LINK_ENDED):
            undo(scene, token)

    def test_is_too_late_after_72_hours(self, scene: Scene, clock: MovableClock) -> None:
        token = change(scene, scene.join())
        clock.advance(NOTICE_LINK_LIFETIME)
        with refused(Failure.LINK_EXPIRED):
            undo(scene, token)
        assert emails(scene) == [NEW]

    def test_forgets_devices_that_are_new_since_the_change_was_requested(
        self, scene: Scene, clock: MovableClock
    ) -> None:
        identity = scene.join()
        scene.remember(identity)
        clock.advance(timedelta(minutes=1))
        confirm_token = ask(scene, identity)
        clock.advance(timedelta(minutes=1))
        scene.remember(scene.log_in())
        confirm(scene, confirm_token)
        scene.remember(scene.log_in(NEW))
        assert scene.count(Device) == 3
        undo(scene, scene.token(Notice.ADDRESS_CHANGED))
        assert scene.count(Device) == 1

    def test_ends_all_other_links(self, scene: Scene) -> None:
        identity = scene.join()
        token = change(scene, identity)
        reset, next_change = scene.ask_reset(NEW), ask(scene, identity, THIRD)
        undo(scene, token)
        with refused(Failure.LINK_ENDED):
            get_reset_link(scene.context, scene.visitor, reset)
        with refused(Failure.LINK_ENDED):
            confirm(scene, next_change)

    def test_works_while_banned_people_cannot(self, scene: Scene) -> None:
        token = change(scene, scene.join())
        scene.ban(NEW)
        with refused(Failure.LINK_ENDED):
            undo(scene, token)

    def test_of_the_first_change_undoes_the_second_too(self, scene: Scene) -> None:
        identity = scene.join()
        first = change(scene, identity)
        second = change(scene, identity, THIRD)
        undo(scene, first)
        assert emails(scene) == [ADA]
        with refused(Failure.LINK_ENDED):
            undo(scene, second)
        assert [mail.recipient for mail in scene.mails(Notice.ADDRESS_UNDONE)] == [THIRD]
        assert scene.join(NEW)

    def test_of_the_second_change_leaves_that_of_the_first(self, scene: Scene) -> None:
        identity = scene.join()
        first = change(scene, identity)
        undo(scene, change(scene, identity, THIRD))
        assert emails(scene) == [NEW]
        undo(scene, first)
        assert emails(scene) == [ADA]

    def test_works_after_a_change_back(self, scene: Scene) -> None:
        identity = scene.join()
        first = change(scene, identity)
        change(scene, identity, ADA)
        undo(scene, first)
        assert emails(scene) == [ADA]
        assert not scene.is_signed_in(identity)

    def test_leaves_nothing_of_who_gets_the_other_address_and_is_erased(self, scene: Scene) -> None:
        undo(scene, change(scene, scene.join()))
        scene.join(NEW)
        delete_customer(scene.context, scene.visitor.organisation_id, parse_email(NEW))
        assert scene.count(AddressChange) == 0

    def test_says_so_if_the_address_was_taken_by_a_version_that_kept_none(self, scene: Scene) -> None:
        token = change(scene, scene.join())
        scene.add_guest(ADA)
        with refused(Failure.ALREADY_REGISTERED):
            undo(scene, token)
        assert emails(scene) == [NEW, ADA]


class TestTheFormerAddressIsKept:
    def test_from_registrations(self, scene: Scene) -> None:
        token = change(scene, scene.join())
        scene.register(ADA, SECOND_PASSWORD)
        assert len(scene.mails(Notice.VERIFY)) == 1
        undo(scene, token)
        assert sorted(filter(None, emails(scene))) == [ADA]

    @pytest.mark.parametrize("ask_for_a_link", [Scene.request_reset, request_sign_in_link])
    def test_from_links_after_a_registration(self, scene: Scene, ask_for_a_link: Callable[[Scene], None]) -> None:
        """The registration has left a contact with the address."""
        token = change(scene, scene.join())
        scene.register(ADA, SECOND_PASSWORD)
        before = scene.mails()
        ask_for_a_link(scene)
        assert scene.mails() == before
        undo(scene, token)
        assert sorted(filter(None, emails(scene))) == [ADA]

    def test_from_registrations_by_api_as_if_it_were_registered(self, scene: Scene) -> None:
        change(scene, scene.join())
        with refused(Failure.ALREADY_REGISTERED):
            scene.via_api().register_by_api(ADA, SECOND_PASSWORD)
        assert emails(scene) == [NEW]

    def test_from_magic_auth(self, scene: Scene) -> None:
        change(scene, scene.join())
        with refused(Failure.UNKNOWN_CONTACT):
            scene.via_api().magic_auth(ADA)
        scene.register(ADA, SECOND_PASSWORD)
        with refused(Failure.UNKNOWN_CONTACT):
            scene.via_api().magic_auth(ADA)

    def test_from_other_customers_changes(self, scene: Scene) -> None:
        bob, ada = scene.join(BOB), scene.join()
        request = partial(request_address_change, scene.context, scene.visitor)
        token = change(scene, ada)
        request(scene.get(bob), parse_email(ADA))
        assert [mail.recipient for mail in scene.mails(Notice.ADDRESS_CHANGE)] == [NEW]
        undo(scene, token)
        assert emails(scene) == [BOB, ADA]

    def test_from_a_change_requested_before(self, scene: Scene) -> None:
        """The address was free when the link was mailed."""
        bob, ada = scene.join(BOB), scene.join()
        token = ask(scene, bob, THIRD)
        change(scene, ada, THIRD)
        change(scene, ada, ADA)
        with refused(Failure.ALREADY_REGISTERED):
            confirm(scene, token)

    def test_from_imports(self, scene: Scene) -> None:
        change(scene, scene.join())
        with begin_import(scene.context, scene.visitor.organisation_id) as importing:
            (bad,) = importing.check([Row(2, {"email": ADA})])
        assert bad.problem == "email: A customer had this address until lately, and can still go back to it."

    def test_for_72_hours(self, scene: Scene, clock: MovableClock) -> None:
        change(scene, scene.join())
        clock.advance(NOTICE_LINK_LIFETIME)
        assert scene.is_signed_in(scene.join(ADA, SECOND_PASSWORD))

    def test_for_the_customer_and_until_the_deletion(self, scene: Scene) -> None:
        identity = scene.join()
        change(scene, identity)
        change(scene, identity, ADA)
        change(scene, identity, NEW)
        delete_customer(scene.context, scene.visitor.organisation_id, parse_email(NEW))
        assert scene.is_signed_in(scene.join(ADA))

    def test_at_its_organisation_only(self, scene: Scene) -> None:
        change(scene, scene.join())
        assert scene.at_another_organisation().join(ADA)


def test_it_is_forgotten_when_its_time_is_over(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    change(scene, identity)
    ask(scene, identity, THIRD)
    scene.change_row(update(OutboxMail).values(state=MailState.SENT))
    clock.advance(NOTICE_LINK_LIFETIME)
    purge(scene.context)
    assert scene.count(AddressChange) == 2
    clock.advance(LINK_RETENTION)
    purge(scene.context)
    assert scene.count(AddressChange) == 0
