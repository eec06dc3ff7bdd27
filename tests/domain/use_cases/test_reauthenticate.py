"""Reauthentication: which proofs count, for how long, and in which session."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.domain.recent_authentication import RECENT, NotRecentlyAuthenticated, require_recent_authentication
from portal.domain.tokens import Purpose
from portal.domain.use_cases.end_session import end_other_sessions
from portal.domain.use_cases.log_in_by_email import get_sign_in_link
from portal.domain.use_cases.reauthenticate import reauthenticate, reauthenticate_by_code, request_code
from portal.domain.use_cases.set_first_password import set_first_password
from portal.domain.use_cases.set_new_password import get_reset_link, reset_and_sign_in
from portal.storage.models import Contact, Event, Identity
from tests.conftest import MovableClock
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, identity_of, refused

BOB = "bob@example.com"


def is_recent(scene: Scene, identity: str) -> bool:
    try:
        require_recent_authentication(scene.context, scene.get(identity))
    except NotRecentlyAuthenticated:
        return False
    return True


def prove(scene: Scene, identity: str, password: str = PASSWORD) -> str | None:
    return reauthenticate(scene.context, scene.visitor, scene.get(identity), password)


def by_code(scene: Scene, identity: str, requests: list[str], code: str) -> str | None:
    customer = scene.get(identity)
    return reauthenticate_by_code(scene.context, scene.visitor, customer, requests, code, remember=False)


def asked(scene: Scene, identity: str) -> tuple[str, str]:
    """Return what the browser remembers of a requested code, and the code."""
    public_id = request_code(scene.context, scene.visitor, scene.get(identity))
    return public_id, scene.context.signer.code(Purpose.REAUTHENTICATE, public_id)


def events(scene: Scene) -> list[tuple[str, str | None]]:
    kinds = (
        select(Event.c.kind, Event.c.refusal).where(Event.c.kind.startswith("reauthentication")).order_by(Event.c.id)
    )
    return [tuple(row) for row in scene.rows(kinds)]


def test_a_sign_in_by_password_or_email_is_a_proof_for_ten_minutes(scene: Scene, clock: MovableClock) -> None:
    identities = [scene.join(), scene.log_in(), scene.log_in_by_email()]
    clock.advance(RECENT - timedelta(seconds=1))
    assert [is_recent(scene, identity) for identity in identities] == [True] * 3
    clock.advance(timedelta(seconds=1))
    assert [is_recent(scene, identity) for identity in identities] == [False] * 3


def test_a_reset_is_a_proof(scene: Scene) -> None:
    scene.join()
    link = get_reset_link(scene.context, scene.visitor, scene.ask_reset())
    reset = reset_and_sign_in(scene.context, scene.visitor, link, SECOND_PASSWORD, remember=False, replacing=None)
    assert is_recent(scene, identity_of(reset.sign_in))


def test_a_shops_word_is_none(scene: Scene) -> None:
    assert not is_recent(scene, scene.magic_auth())


def test_the_password_counts_in_this_session_and_no_other(scene: Scene, clock: MovableClock) -> None:
    here, there = scene.join(), scene.log_in()
    clock.advance(RECENT)
    began = scene.get(here).identity_id
    renewed = prove(scene, here)
    assert renewed is not None
    assert is_recent(scene, renewed)
    assert not is_recent(scene, there)
    assert not scene.is_signed_in(here)
    assert scene.get(renewed).identity_id == began
    assert events(scene) == [("reauthentication", None)]


def test_a_wrong_password_proves_nothing_and_counts(scene: Scene, clock: MovableClock) -> None:
    here = scene.join()
    clock.advance(RECENT)
    with refused(Failure.WRONG_PASSWORD) as caught:
        prove(scene, here, WRONG_PASSWORD)
    assert caught.value.field == "password"
    assert not is_recent(scene, here)
    for _ in range(9):
        with refused(Failure.WRONG_PASSWORD):
            prove(scene, here, WRONG_PASSWORD)
    with refused(Failure.TOO_MANY_LOGINS):
        prove(scene, here)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.log_in()


def test_a_session_that_was_ended_meanwhile_is_not_brought_back(scene: Scene) -> None:
    here, there = scene.join(), scene.log_in()
    customer = scene.get(there)
    end_other_sessions(scene.context, scene.visitor, scene.get(here))
    assert reauthenticate(scene.context, scene.visitor, customer, PASSWORD) is None
    assert events(scene) == []


def test_a_code_from_an_email_counts_once(scene: Scene, clock: MovableClock) -> None:
    here = scene.join()
    clock.advance(RECENT)
    public_id, code = asked(scene, here)
    assert [mail.recipient for mail in scene.mails(Notice.REAUTHENTICATE)] == [ADA]
    renewed = by_code(scene, here, [public_id], code)
    assert renewed is not None
    assert is_recent(scene, renewed)
    with refused(Failure.CODE_ENDED):
        by_code(scene, renewed, [public_id], code)
    assert events(scene)[:2] == [("reauthentication_request", None), ("reauthentication", None)]


def test_a_code_is_for_the_browser_and_the_customer_that_asked(scene: Scene) -> None:
    ada, bob = scene.join(), scene.join(BOB)
    public_id, code = asked(scene, bob)
    with refused(Failure.WRONG_CODE):
        by_code(scene, ada, [public_id], code)
    with refused(Failure.CODE_ENDED):
        by_code(scene, bob, [], code)


def test_its_token_cannot_sign_in(scene: Scene) -> None:
    asked(scene, scene.join())
    with refused(Failure.NO_SUCH_LINK):
        get_sign_in_link(scene.context, scene.visitor, scene.token(Notice.REAUTHENTICATE))


def test_the_first_proof_of_the_mailbox_ends_all_sessions_but_this_one(scene: Scene) -> None:
    scene.add_imported()
    here, there = scene.log_in(), scene.log_in()
    public_id, code = asked(scene, here)
    renewed = by_code(scene, here, [public_id], code)
    assert renewed is not None
    assert [scene.is_signed_in(identity) for identity in (here, there, renewed)] == [False, False, True]
    assert is_recent(scene, renewed)


class TestAFirstPassword:
    def test_is_set_by_who_has_just_signed_in_by_email(self, scene: Scene) -> None:
        scene.add_guest()
        here, there = scene.log_in_by_email(), scene.log_in_by_email()
        new = set_first_password(scene.context, scene.visitor, scene.get(here), PASSWORD, remember=False)
        assert [scene.is_signed_in(identity) for identity in (here, there, new)] == [False, False, True]
        assert scene.log_in()
        assert [row.kind for row in scene.rows(select(Event.c.kind).where(Event.c.kind == "password_set"))]

    def test_needs_a_recent_proof(self, scene: Scene, clock: MovableClock) -> None:
        scene.add_guest()
        here = scene.log_in_by_email()
        clock.advance(RECENT)
        with pytest.raises(NotRecentlyAuthenticated):
            set_first_password(scene.context, scene.visitor, scene.get(here), PASSWORD, remember=False)

    def test_is_no_way_to_replace_one_that_is_there(self, scene: Scene) -> None:
        with refused(Failure.PASSWORD_REFUSED):
            set_first_password(scene.context, scene.visitor, scene.get(scene.join()), SECOND_PASSWORD, remember=False)
        assert scene.log_in()

    def test_is_judged_as_every_other(self, scene: Scene) -> None:
        scene.add_guest()
        customer = scene.get(scene.log_in_by_email())
        with refused(Failure.PASSWORD_REFUSED):
            set_first_password(scene.context, scene.visitor, customer, "short", remember=False)


def test_a_banned_customer_proves_nothing(scene: Scene) -> None:
    customer = scene.get(scene.join())
    scene.change_row(update(Contact).values(banned_at=scene.context.clock()))
    with refused(Failure.WRONG_PASSWORD):
        reauthenticate(scene.context, scene.visitor, customer, PASSWORD)
    assert scene.rows(select(Identity.c.proved_at).where(Identity.c.ended_at.is_(None))) != []
