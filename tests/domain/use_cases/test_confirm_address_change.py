"""A customer confirms another email address, by link or by code."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.outbox import Notice
from portal.domain.use_cases.confirm_address_change import (
    confirm_address_change,
    get_requested_change,
)
from portal.domain.use_cases.log_in_by_email import get_sign_in_link
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.use_cases.undo_address_change import get_undo_link
from portal.domain.values.email import parse_email
from portal.storage.models import AddressChange, Contact
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import (
    NEW,
    address_of,
    ask,
    change,
    code_of,
    confirm,
    emails,
    events,
    pending,
    type_code,
)


class TestAConfirmation:
    def test_by_link_changes_the_address_and_tells_the_former_one(self, scene: Scene) -> None:
        here, there = scene.join(), scene.log_in()
        token = ask(scene, here)
        assert get_requested_change(scene.context, scene.visitor, token).email == NEW
        confirm(scene, token)
        assert [address_of(scene, identity) for identity in (here, there)] == [NEW, NEW]
        assert pending(scene, here) is None
        mail = scene.mails()[-1]
        assert (mail.notice, mail.recipient) == (Notice.ADDRESS_CHANGED, ADA)
        assert scene.log_in(NEW)
        with refused(Failure.UNKNOWN_CONTACT):
            scene.log_in(ADA)
        assert events(scene)[-1] == ("address_change", None)

    def test_by_code_works_in_the_session_that_asked_only(self, scene: Scene) -> None:
        here, there = scene.join(), scene.log_in()
        code = code_of(scene, ask(scene, here))
        with refused(Failure.CODE_ENDED):
            type_code(scene, there, code)
        with refused(Failure.WRONG_CODE):
            type_code(scene, here, "000000" if code != "000000" else "111111")
        type_code(scene, here, f"{code[:3]} {code[3:]}")
        assert address_of(scene, here) == NEW
        assert scene.rows(select(Contact.c.failed_codes)) == [(0,)]

    def test_can_be_done_once(self, scene: Scene) -> None:
        identity = scene.join()
        token = ask(scene, identity)
        confirm(scene, token)
        with refused(Failure.LINK_ENDED):
            confirm(scene, token)
        with refused(Failure.CODE_ENDED):
            type_code(scene, identity, code_of(scene, token))
        assert len(scene.mails(Notice.ADDRESS_CHANGED)) == 1

    def test_can_be_done_for_a_day(self, scene: Scene, clock: MovableClock) -> None:
        identity = scene.join()
        token = ask(scene, identity)
        clock.advance(timedelta(hours=24))
        with refused(Failure.LINK_EXPIRED):
            confirm(scene, token)

    def test_ends_the_open_links_to_the_former_address(self, scene: Scene) -> None:
        identity = scene.join()
        reset, token = scene.ask_reset(), ask(scene, identity)
        confirm(scene, token)
        with refused(Failure.LINK_ENDED):
            get_reset_link(scene.context, scene.visitor, reset)

    def test_leaves_sessions_even_if_no_mailbox_was_proven_before(self, scene: Scene) -> None:
        scene.add_imported()
        here, there = scene.log_in(), scene.log_in()
        change(scene, here)
        assert [scene.is_signed_in(identity) for identity in (here, there)] == [True, True]

    @pytest.mark.parametrize("spoil", ["password", "ban", "delete"])
    def test_is_impossible_after_a_new_password_a_ban_and_a_deletion(self, scene: Scene, spoil: str) -> None:
        identity = scene.join()
        token = ask(scene, identity)
        if spoil == "password":
            scene.change(identity, PASSWORD, SECOND_PASSWORD)
        elif spoil == "ban":
            scene.ban()
        else:
            delete_customer(scene.context, scene.visitor.organisation_id, parse_email(ADA))
        with refused(Failure.NO_SUCH_LINK if spoil == "delete" else Failure.LINK_ENDED):
            confirm(scene, token)
        assert scene.count(AddressChange) == (0 if spoil == "delete" else 1)
        assert emails(scene) == ([] if spoil == "delete" else [ADA])

    def test_loses_to_a_deletion_since_its_page_was_opened(self, scene: Scene) -> None:
        token = ask(scene, scene.join())
        requested = get_requested_change(scene.context, scene.visitor, token)
        delete_customer(scene.context, scene.visitor.organisation_id, parse_email(ADA))
        with refused(Failure.LINK_ENDED):
            confirm_address_change(scene.context, scene.visitor, requested.link)

    def test_its_tokens_are_of_no_other_use(self, scene: Scene) -> None:
        token = ask(scene, scene.join())
        for find in (get_undo_link, get_reset_link, get_sign_in_link):
            with refused(Failure.NO_SUCH_LINK):
                find(scene.context, scene.visitor, token)
