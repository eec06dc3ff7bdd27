"""A customer's email address changes: requested, confirmed, undone, and what may happen in between."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.domain.address_changes import UNDO_LIFETIME
from portal.domain.errors import Failure, Refused
from portal.domain.identities import SessionEnded
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.operations.end_sessions import end_sessions
from portal.domain.operations.import_customers import Row, begin_import
from portal.domain.operations.retention import LINK_RETENTION, purge
from portal.domain.outbox import MailState, Notice
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated
from portal.domain.tokens import Purpose
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.confirm_address_change import (
    confirm_address_change,
    get_change_link_by_code,
    get_requested_change,
)
from portal.domain.use_cases.end_session import end_session
from portal.domain.use_cases.log_in_by_email import get_sign_in_link, request_sign_in
from portal.domain.use_cases.report_not_me import get_not_me_link, report_not_me
from portal.domain.use_cases.request_address_change import (
    cancel_address_change,
    find_pending_change,
    request_address_change,
)
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.use_cases.undo_address_change import get_undo_link, undo_address_change
from portal.domain.values.email import parse_email
from portal.storage.models import AddressChange, Contact, Device, Event, Identity, Link, OutboxMail
from tests.conftest import MovableClock
from tests.domain.instrumentation import HashCounter, in_parallel, statements_of, wait_until
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused

NEW = "ada.new@example.com"
THIRD = "ada.third@example.com"
BOB = "bob@example.com"


def ask(scene: Scene, identity: str, email: str = NEW) -> str:
    """Ask for a change; returns the token that was mailed to the new address."""
    request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(email))
    return scene.token(Notice.ADDRESS_CHANGE)


def confirm(scene: Scene, token: str) -> None:
    requested = get_requested_change(scene.context, scene.visitor, token)
    confirm_address_change(scene.context, scene.visitor, requested.link)


def change(scene: Scene, identity: str, email: str = NEW) -> str:
    """Change the address; returns the token that the former one got, which undoes it."""
    confirm(scene, ask(scene, identity, email))
    return scene.token(Notice.ADDRESS_CHANGED)


def undo(scene: Scene, token: str) -> str:
    """Undo a change; returns the token that sets a new password."""
    link = get_undo_link(scene.context, scene.visitor, token)
    public_id = undo_address_change(scene.context, scene.visitor, link)
    token = scene.token(Notice.ADDRESS_RESTORED)
    assert scene.context.signer.public_id(Purpose.RESET, token) == public_id
    return token


def address_of(scene: Scene, identity: str) -> str | None:
    return scene.get(identity).email


def pending(scene: Scene, identity: str) -> str | None:
    found = find_pending_change(scene.context, scene.get(identity))
    return found.email if found else None


def emails(scene: Scene) -> list[str]:
    return [row.email for row in scene.rows(select(Contact.email).order_by(Contact.id))]


def events(scene: Scene) -> list[tuple[str, str | None]]:
    kinds = select(Event.kind, Event.refusal).where(Event.kind.startswith("address_")).order_by(Event.id)
    return [tuple(row) for row in scene.rows(kinds)]


def request_sign_in_link(scene: Scene) -> None:
    request_sign_in(scene.context, scene.visitor, parse_email(ADA))


def type_code(scene: Scene, identity: str, code: str) -> None:
    link = get_change_link_by_code(scene.context, scene.visitor, scene.get(identity), code)
    confirm_address_change(scene.context, scene.visitor, link)


def code_of(scene: Scene, token: str) -> str:
    signer = scene.context.signer
    return signer.code(Purpose.ADDRESS_CHANGE, signer.public_id(Purpose.ADDRESS_CHANGE, token))


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

        work("first@example.com")  # each of the others ends the request before it
        unknown, known = work("unknown@example.com"), work(NEW)
        assert known == unknown
        assert pending(scene, identity) == NEW

    @pytest.mark.parametrize("become_known", [have_an_account, be_a_guest])
    def test_its_owner_is_told_and_no_link_works(self, scene: Scene, become_known: Callable[[Scene], None]) -> None:
        scene = scene.without_limits()
        identity = scene.join()
        become_known(scene)
        request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(NEW))
        in_use, notice = scene.mails()[-2:]
        assert (in_use.notice, in_use.recipient, in_use.token) == (Notice.ADDRESS_IN_USE, NEW, None)
        assert (notice.notice, notice.recipient) == (Notice.ADDRESS_REQUESTED, ADA)
        (guessed,) = scene.rows(select(Link.public_id).where(Link.purpose == Purpose.ADDRESS_CHANGE))
        with refused(Failure.ALREADY_REGISTERED):
            confirm(scene, scene.context.signer.token(Purpose.ADDRESS_CHANGE, guessed.public_id))
        assert address_of(scene, identity) == ADA

    @pytest.mark.parametrize("become_known", [be_banned, have_had_it_before])
    def test_nobody_is_told_of_a_ban_or_a_former_address(
        self, scene: Scene, become_known: Callable[[Scene], None]
    ) -> None:
        scene = scene.without_limits()
        identity = scene.join()
        become_known(scene)
        request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(NEW))
        assert scene.mails(Notice.ADDRESS_IN_USE) == []
        assert scene.mails()[-1].notice is Notice.ADDRESS_REQUESTED

    def test_a_registration_that_nobody_confirmed_does_not_stand_in_the_way(self, scene: Scene) -> None:
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
        assert scene.rows(select(Contact.failed_codes)) == [(0,)]

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
        clock.advance(UNDO_LIFETIME - timedelta(seconds=1))
        undo(scene, token)
        with refused(Failure.LINK_ENDED):
            undo(scene, token)

    def test_is_too_late_after_72_hours(self, scene: Scene, clock: MovableClock) -> None:
        token = change(scene, scene.join())
        clock.advance(UNDO_LIFETIME)
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
        clock.advance(UNDO_LIFETIME)
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


def end_one(scene: Scene, identity: str) -> None:
    (other,) = scene.rows(select(Identity.id).where(Identity.id != scene.get(identity).identity_id))
    end_session(scene.context, scene.visitor, scene.get(identity), other.id)


def end_all(scene: Scene, identity: str) -> None:
    end_sessions(scene.context, scene.visitor.organisation_id, parse_email(ADA))


class TestAHijack:
    """An attacker with a session changes the address, and whatever else."""

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
        clock.advance(UNDO_LIFETIME - timedelta(seconds=1))
        purge(scene.context)
        scene.reset(undo(scene, token), SECOND_PASSWORD)
        assert scene.get(scene.log_in(ADA, SECOND_PASSWORD)).email == ADA

    def test_a_password_that_the_attacker_knows_does_not_get_in_again(self, scene: Scene) -> None:
        scene.join()
        attacker = scene.in_known_browser()
        reset = undo(scene, change(attacker, attacker.log_in()))
        for visitor in (attacker, scene.elsewhere("198.51.100.66")):
            with refused(Failure.PASSWORD_LOCKED):
                visitor.log_in(ADA)
        scene.reset(reset, SECOND_PASSWORD)
        assert scene.log_in(ADA, SECOND_PASSWORD)

    def test_a_password_that_the_attacker_set_lets_nobody_in_whatever_the_owner_does_next(
        self, scene: Scene, clock: MovableClock
    ) -> None:
        scene.join()
        attacker = scene.in_known_browser()
        stolen = attacker.log_in()
        clock.advance(timedelta(minutes=1))
        token = change(attacker, stolen)
        clock.advance(timedelta(minutes=1))
        attacker.change(stolen, PASSWORD, SECOND_PASSWORD)
        undo(scene, token)
        assert scene.is_signed_in(scene.log_in_by_email())  # which unlocks a password
        for password in (PASSWORD, SECOND_PASSWORD):
            with refused(Failure.NO_ACCOUNT):
                attacker.log_in(ADA, password)


@pytest.mark.differs_on_postgresql
class TestAtTheSameMoment:
    def test_two_changes_make_one(self, scene: Scene) -> None:
        identity = scene.join()
        tokens = [ask(scene, identity) for _ in range(4)]
        links = [get_requested_change(scene.context, scene.visitor, token).link for token in tokens]
        outcomes = in_parallel([partial(confirm_address_change, scene.context, scene.visitor, link) for link in links])
        assert [outcome for outcome in outcomes if outcome is None] == [None]
        assert {type(outcome) for outcome in outcomes if outcome is not None} <= {Refused}
        assert len(scene.mails(Notice.ADDRESS_CHANGED)) == 1
        assert emails(scene) == [NEW]

    def test_requests_leave_each_other_open(self, scene: Scene) -> None:
        scene = scene.without_limits()
        customer = scene.get(scene.join())
        works = [
            partial(request_address_change, scene.context, scene.visitor, customer, parse_email(f"ada.{n}@example.com"))
            for n in range(4)
        ]
        assert in_parallel(works) == [None] * 4
        still_open = select(Link.id).where(Link.purpose == Purpose.ADDRESS_CHANGE, Link.ended_at.is_(None))
        assert len(scene.rows(still_open)) == 4

    def test_two_customers_get_one_address_once(self, scene: Scene) -> None:
        customers = [scene.join(f"customer.{number}@example.com") for number in range(3)]
        links = [
            get_requested_change(scene.context, scene.visitor, ask(scene, identity)).link for identity in customers
        ]
        outcomes = in_parallel([partial(confirm_address_change, scene.context, scene.visitor, link) for link in links])
        assert [outcome for outcome in outcomes if outcome is None] == [None]
        failures = [outcome.failure for outcome in outcomes if isinstance(outcome, Refused)]
        assert failures == [Failure.ALREADY_REGISTERED] * 2
        assert emails(scene).count(NEW) == 1

    def test_an_address_is_left_and_wanted(self, scene: Scene) -> None:
        """Bob may not get Ada's former address, whichever of the two comes first."""
        ada, bob = scene.join(), scene.join(BOB)
        leaving = get_requested_change(scene.context, scene.visitor, ask(scene, ada)).link
        request_address_change(scene.context, scene.visitor, scene.get(bob), parse_email(ADA))
        issued = select(Link.public_id).where(Link.purpose == Purpose.ADDRESS_CHANGE)
        (guessed,) = scene.rows(issued.order_by(Link.id.desc()).limit(1))
        token = scene.context.signer.token(Purpose.ADDRESS_CHANGE, guessed.public_id)
        wanting = get_requested_change(scene.context, scene.visitor, token).link
        outcomes = in_parallel(
            [partial(confirm_address_change, scene.context, scene.visitor, link) for link in (leaving, wanting)]
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], Refused)
        assert sorted(emails(scene)) == [NEW, BOB]

    def test_an_address_is_left_and_registered(self, scene: Scene) -> None:
        leaving = get_requested_change(scene.context, scene.visitor, ask(scene, scene.join())).link
        works: list[Callable[[], Any]] = [
            partial(confirm_address_change, scene.context, scene.visitor, leaving),
            partial(scene.register, ADA, SECOND_PASSWORD),
            partial(scene.via_api().magic_auth, ADA),
        ]
        in_parallel(works)
        undo(scene, scene.token(Notice.ADDRESS_CHANGED))
        assert sorted(filter(None, emails(scene))) == [ADA]

    def test_customers_who_want_each_others_address_get_an_answer(self, scene: Scene) -> None:
        ada, bob = scene.get(scene.join()), scene.get(scene.join(BOB))
        request = partial(request_address_change, scene.context, scene.visitor)
        works = [partial(request, ada, parse_email(BOB)), partial(request, bob, parse_email(ADA))]
        assert in_parallel(works) == [None, None]

    def test_an_undo_and_an_api_sign_in_leave_no_session(self, scene: Scene, hashes: HashCounter) -> None:
        link = get_undo_link(scene.context, scene.visitor, change(scene, scene.join()))
        outcomes: list[Failure] = []

        def sign_in() -> None:
            with refused(Failure.WRONG_PASSWORD) as caught:
                scene.via_api().log_in(NEW)
            outcomes.append(caught.value.failure)

        hashes.gate.clear()
        thread = Thread(target=sign_in)
        thread.start()
        wait_until(lambda: hashes.running == 1)
        undo_address_change(scene.context, scene.visitor, link)
        hashes.gate.set()
        thread.join()
        assert outcomes == [Failure.WRONG_PASSWORD]
        assert scene.rows(select(Identity.id).where(Identity.ended_at.is_(None))) == []

    def test_an_undo_and_a_change_of_password_leave_no_session(self, scene: Scene, hashes: HashCounter) -> None:
        identity = scene.join()
        link = get_undo_link(scene.context, scene.visitor, change(scene, identity))
        customer = scene.get(identity)
        outcomes: list[type[BaseException]] = []

        def change_it() -> None:
            with pytest.raises(SessionEnded) as caught:
                change_password(scene.context, scene.visitor, customer, PASSWORD, SECOND_PASSWORD, remember=False)
            outcomes.append(caught.type)

        hashes.gate.clear()
        thread = Thread(target=change_it)
        thread.start()
        wait_until(lambda: hashes.running == 1)
        undo_address_change(scene.context, scene.visitor, link)
        hashes.gate.set()
        thread.join()
        assert outcomes == [SessionEnded]
        assert scene.rows(select(Identity.id).where(Identity.ended_at.is_(None))) == []
        get_reset_link(scene.context, scene.visitor, scene.token(Notice.ADDRESS_RESTORED))


def test_it_is_forgotten_when_its_time_is_over(scene: Scene, clock: MovableClock) -> None:
    identity = scene.join()
    change(scene, identity)
    ask(scene, identity, THIRD)
    scene.change_row(update(OutboxMail).values(state=MailState.SENT))
    clock.advance(UNDO_LIFETIME)
    purge(scene.context)
    assert scene.count(AddressChange) == 2
    clock.advance(LINK_RETENTION)
    purge(scene.context)
    assert scene.count(AddressChange) == 0
