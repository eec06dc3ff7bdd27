"""Changes of address in parallel with each other and with other changes of the account."""

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from portal.domain.errors import Failure, Refused
from portal.domain.identities import SessionEnded
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases.change_password import change_password
from portal.domain.use_cases.confirm_address_change import (
    confirm_address_change,
    get_requested_change,
)
from portal.domain.use_cases.request_address_change import (
    request_address_change,
)
from portal.domain.use_cases.set_new_password import get_reset_link
from portal.domain.use_cases.undo_address_change import get_undo_link, undo_address_change
from portal.domain.values.email import parse_email
from portal.storage.models import Identity, Link
from tests.domain.instrumentation import HashCounter, in_parallel, wait_until
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, Scene, refused
from tests.domain.use_cases.address_change import BOB, NEW, ask, change, emails, undo


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
        still_open = select(Link.c.id).where(Link.c.purpose == Purpose.ADDRESS_CHANGE, Link.c.ended_at.is_(None))
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
        """Bob must not get Ada's former address, in either order."""
        ada, bob = scene.join(), scene.join(BOB)
        leaving = get_requested_change(scene.context, scene.visitor, ask(scene, ada)).link
        request_address_change(scene.context, scene.visitor, scene.get(bob), parse_email(ADA))
        issued = select(Link.c.public_id).where(Link.c.purpose == Purpose.ADDRESS_CHANGE)
        (guessed,) = scene.rows(issued.order_by(Link.c.id.desc()).limit(1))
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
        assert scene.rows(select(Identity.c.id).where(Identity.c.ended_at.is_(None))) == []

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
        assert scene.rows(select(Identity.c.id).where(Identity.c.ended_at.is_(None))) == []
        get_reset_link(scene.context, scene.visitor, scene.token(Notice.ADDRESS_RESTORED))
