"""A customer requests another email address: what is emailed, and that a known address is not revealed."""

from collections.abc import Callable

import pytest
from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.identities import SessionEnded
from portal.domain.outbox import Notice
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated
from portal.domain.tokens import Purpose
from portal.domain.use_cases.request_address_change import (
    cancel_address_change,
    request_address_change,
)
from portal.domain.values.email import parse_email
from portal.storage.models import AddressChange, Event, Link
from tests.conftest import MovableClock
from tests.domain.instrumentation import statements_of
from tests.domain.scene import ADA, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import (
    NEW,
    THIRD,
    address_of,
    ask,
    change,
    confirm,
    emails,
    events,
    pending,
    undo,
)


class TestARequest:
    def test_changes_nothing_and_mails_both_addresses(self, scene: Scene) -> None:
        identity = scene.join()
        ask(scene, identity)
        assert address_of(scene, identity) == ADA
        assert [(mail.notice, mail.recipient, bool(mail.token)) for mail in scene.mails()[-2:]] == [
            (Notice.ADDRESS_CHANGE, NEW, True),
            (Notice.ADDRESS_REQUESTED, ADA, True),
        ]
        assert pending(scene, identity) == NEW
        assert events(scene) == [("address_change_request", None)]

    def test_needs_a_recent_proof(self, scene: Scene, clock: MovableClock) -> None:
        identity = scene.join()
        clock.advance(RECENT)
        with pytest.raises(NotRecentlyAuthenticated):
            ask(scene, identity)
        assert scene.count(AddressChange) == 0

    def test_for_the_present_address_is_refused(self, scene: Scene) -> None:
        identity = scene.join()
        with refused(Failure.ALREADY_REGISTERED) as caught:
            ask(scene, identity, "ADA@example.com")
        assert caught.value.in_english == "This is already your email address."

    def test_counts_as_an_email_to_the_new_address(self, scene: Scene) -> None:
        identity, elsewhere = scene.join(), scene.elsewhere("198.51.100.7")
        for _ in range(5):
            ask(scene, identity)
        with refused(Failure.TOO_MANY_MAILS):
            ask(scene, identity)
        ask(scene, identity, THIRD)
        with refused(Failure.TOO_MANY_MAILS):
            elsewhere.request_reset(NEW)
            elsewhere.request_reset(NEW)

    @pytest.mark.parametrize("used", [0, 1])
    def test_for_another_address_leaves_the_one_before_until_one_is_confirmed(self, scene: Scene, used: int) -> None:
        identity, addresses = scene.join(), [THIRD, NEW]
        tokens = [ask(scene, identity, email) for email in addresses]
        confirm(scene, tokens[used])
        with refused(Failure.LINK_ENDED):
            confirm(scene, tokens[1 - used])
        assert address_of(scene, identity) == addresses[used]

    def test_for_the_same_address_leaves_the_one_before(self, scene: Scene) -> None:
        identity = scene.join()
        first, second = ask(scene, identity), ask(scene, identity)
        confirm(scene, first)
        with refused(Failure.LINK_ENDED):
            confirm(scene, second)

    def test_can_be_cancelled(self, scene: Scene) -> None:
        identity = scene.join()
        token = ask(scene, identity)
        for _ in range(2):
            cancel_address_change(scene.context, scene.visitor, scene.get(identity))
        assert pending(scene, identity) is None
        with refused(Failure.LINK_ENDED):
            confirm(scene, token)
        assert events(scene)[-1] == ("address_change_cancel", None)
        assert len(events(scene)) == 2

    def test_of_a_session_that_was_ended_meanwhile_does_nothing(self, scene: Scene) -> None:
        identity = scene.join()
        customer = scene.get(identity)
        scene.log_out(identity)
        with pytest.raises(SessionEnded):
            request_address_change(scene.context, scene.visitor, customer, parse_email(NEW))
        with pytest.raises(SessionEnded):
            cancel_address_change(scene.context, scene.visitor, customer)
        assert scene.count(AddressChange) == 0


def have_an_account(scene: Scene) -> None:
    scene.join(NEW)


def be_a_guest(scene: Scene) -> None:
    scene.add_guest(NEW)


def be_banned(scene: Scene) -> None:
    scene.join(NEW)
    scene.ban(NEW)


def register(scene: Scene) -> None:
    scene.register(NEW)


def have_had_it_before(scene: Scene) -> None:
    change(scene, scene.join(NEW), "moved@example.com")


class TestAnAddressThatIsKnown:
    @pytest.mark.parametrize("become_known", [have_an_account, be_a_guest, be_banned, register, have_had_it_before])
    def test_costs_the_same_work_and_looks_the_same(self, scene: Scene, become_known: Callable[[Scene], None]) -> None:
        scene = scene.without_limits()
        identity = scene.join()
        become_known(scene)
        customer = scene.get(identity)
        tables = (Link, AddressChange, Event)

        def work(email: str) -> tuple[list[str], list[int]]:
            before = [scene.count(table) for table in tables]
            with statements_of(scene.context.database.engine) as statements:
                request_address_change(scene.context, scene.visitor, customer, parse_email(email))
            return statements, [scene.count(table) - count for table, count in zip(tables, before, strict=True)]

        work("first@example.com")  # each of the others ends the request before
        unknown, known = work("unknown@example.com"), work(NEW)
        assert known == unknown
        assert pending(scene, identity) == NEW

    @pytest.mark.parametrize("become_known", [have_an_account, be_a_guest])
    def test_its_owner_gets_a_notice_and_no_link_works(
        self, scene: Scene, become_known: Callable[[Scene], None]
    ) -> None:
        scene = scene.without_limits()
        identity = scene.join()
        become_known(scene)
        request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(NEW))
        in_use, notice = scene.mails()[-2:]
        assert (in_use.notice, in_use.recipient, in_use.token) == (Notice.ADDRESS_IN_USE, NEW, None)
        assert (notice.notice, notice.recipient) == (Notice.ADDRESS_REQUESTED, ADA)
        (guessed,) = scene.rows(select(Link.c.public_id).where(Link.c.purpose == Purpose.ADDRESS_CHANGE))
        with refused(Failure.ALREADY_REGISTERED):
            confirm(scene, scene.context.signer.token(Purpose.ADDRESS_CHANGE, guessed.public_id))
        assert address_of(scene, identity) == ADA

    @pytest.mark.parametrize("become_known", [be_banned, have_had_it_before])
    def test_a_banned_customer_and_a_former_address_get_no_email(
        self, scene: Scene, become_known: Callable[[Scene], None]
    ) -> None:
        scene = scene.without_limits()
        identity = scene.join()
        become_known(scene)
        request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(NEW))
        assert scene.mails(Notice.ADDRESS_IN_USE) == []
        assert scene.mails()[-1].notice is Notice.ADDRESS_REQUESTED

    def test_an_unconfirmed_registration_does_not_block_the_change(self, scene: Scene) -> None:
        identity = scene.join()
        scene.register(NEW, SECOND_PASSWORD)
        registration = scene.token(Notice.VERIFY)
        change(scene, identity)
        assert address_of(scene, identity) == NEW
        with refused(Failure.LINK_ENDED):
            scene.confirm(registration, password=SECOND_PASSWORD)
        assert sorted(filter(None, emails(scene))) == [NEW]

    def test_a_stranger_who_registered_it_before_does_not_notice(self, scene: Scene) -> None:
        identity = scene.join()
        registration = scene.register(NEW, SECOND_PASSWORD)
        change(scene, identity)
        assert scene.resend(registration) == NEW
        assert [mail.recipient for mail in scene.mails(Notice.ACCOUNT_EXISTS)] == [NEW]

    def test_a_stranger_who_registered_the_former_address_does_not_reach_the_new_one(self, scene: Scene) -> None:
        identity = scene.join()
        registration = scene.register(ADA, SECOND_PASSWORD)
        change(scene, identity)
        before = scene.mails()
        assert scene.resend(registration) == ADA
        assert scene.mails() == before

    def test_a_registration_that_was_confirmed_meanwhile_does(self, scene: Scene) -> None:
        identity = scene.join()
        token = ask(scene, identity)
        scene.join(NEW)
        with refused(Failure.ALREADY_REGISTERED) as caught:
            confirm(scene, token)
        with refused(Failure.ALREADY_REGISTERED):
            confirm(scene, token)
        assert caught.value.in_english == "This email address now belongs to another account. Nothing was changed."
        assert emails(scene) == [ADA, NEW]
        assert events(scene)[-1] == ("address_change", "ALREADY_REGISTERED")

    def test_the_same_address_at_another_organisation_is_another_one(self, scene: Scene) -> None:
        scene.at_another_organisation().join(NEW)
        identity = scene.join()
        change(scene, identity)
        assert address_of(scene, identity) == NEW


class TestCanonicalTwins:
    def test_another_spelling_of_the_own_address_is_a_change(self, scene: Scene) -> None:
        identity = scene.join("ada.quill@gmail.com")
        token = change(scene, identity, "adaquill+shop@gmail.com")
        assert address_of(scene, identity) == "adaquill+shop@gmail.com"
        assert [mail.recipient for mail in scene.mails(Notice.ADDRESS_CHANGED)] == ["ada.quill@gmail.com"]
        undo(scene, token)
        assert emails(scene) == ["ada.quill@gmail.com"]

    def test_another_customers_twin_is_taken(self, scene: Scene) -> None:
        scene.join("bob.quill@gmail.com")
        customer = scene.get(scene.join())
        request_address_change(scene.context, scene.visitor, customer, parse_email("bobquill@googlemail.com"))
        assert [mail.recipient for mail in scene.mails(Notice.ADDRESS_IN_USE)] == ["bob.quill@gmail.com"]
        assert scene.mails(Notice.ADDRESS_CHANGE) == []

    def test_a_twin_of_a_former_address_is_kept_too(self, scene: Scene) -> None:
        change(scene, scene.join("ada.quill@gmail.com"))
        scene.register("a.d.a.quill@gmail.com")
        assert len(scene.mails(Notice.VERIFY)) == 1
