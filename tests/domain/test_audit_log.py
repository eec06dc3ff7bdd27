"""The audit log: one row for each sign-in, refusal and change, without secrets."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, event, select, update
from sqlalchemy.exc import OperationalError

from portal.domain.audit_log import EventKind, record
from portal.domain.errors import Refused
from portal.domain.operations import ban
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases import log_in_by_email
from portal.domain.use_cases.confirm_registration import get_confirmation_by_code
from portal.domain.use_cases.resend_confirmation import resend
from portal.domain.values.email import parse_email
from portal.storage.backends import DatabaseUnavailable
from portal.storage.models import Event, Link
from tests.domain.instrumentation import lines_of
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene

Row = tuple[str, str | None, bool]
"""Kind, refusal, and whether the customer is known."""
Act = Callable[[Scene], None]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def idle(_scene: Scene) -> None:
    """Nothing happens."""


def register(scene: Scene) -> None:
    scene.register()


def send_again(scene: Scene) -> None:
    resend(scene.context, scene.visitor, scene.register())


def confirm(scene: Scene) -> None:
    scene.join()


def confirm_with_a_wrong_password(scene: Scene) -> None:
    scene.register()
    scene.confirm(scene.token(Notice.VERIFY), password=WRONG_PASSWORD)


def sign_in(scene: Scene) -> None:
    scene.join()
    scene.log_in()


def sign_in_wrongly(scene: Scene) -> None:
    scene.join()
    scene.log_in(ADA, WRONG_PASSWORD)


def sign_in_with_an_unknown_address(scene: Scene) -> None:
    scene.log_in()


def sign_in_unconfirmed(scene: Scene) -> None:
    scene.register()
    scene.log_in()


def sign_in_banned(scene: Scene) -> None:
    scene.join()
    scene.ban()
    scene.log_in()


def sign_in_too_often(scene: Scene) -> None:
    scene.fail_to_log_in(times=20)


def sign_out(scene: Scene) -> None:
    scene.log_out(scene.join())


def sign_out_without_an_identity(scene: Scene) -> None:
    scene.log_out("A" * 32)


def ask_for_a_reset(scene: Scene) -> None:
    scene.request_reset()


def reset(scene: Scene) -> None:
    scene.join()
    scene.reset(scene.ask_reset())


def guess_links(scene: Scene) -> None:
    for _ in range(110):
        with suppress(Refused):
            scene.reset("A" * 32)


def change_password(scene: Scene) -> None:
    scene.change(scene.join(), PASSWORD, SECOND_PASSWORD)


def change_password_wrongly(scene: Scene) -> None:
    scene.change(scene.join(), WRONG_PASSWORD, SECOND_PASSWORD)


def mistype_a_code(scene: Scene) -> None:
    public_id = log_in_by_email.request_sign_in(scene.context, scene.visitor, parse_email(ADA))
    log_in_by_email.get_sign_in_link_by_code(scene.context, scene.visitor, [public_id], "no code")


def mistype_a_code_as_a_customer(scene: Scene) -> None:
    scene.join()
    mistype_a_code(scene)


def mistype_the_code_of_a_registration(scene: Scene) -> None:
    get_confirmation_by_code(scene.context, scene.visitor, scene.register(), "no code")


def type_an_unrequested_code(scene: Scene) -> None:
    log_in_by_email.get_sign_in_link_by_code(scene.context, scene.visitor, [], "000000")


def type_codes(scene: Scene, *codes: str, asked_for: Sequence[str] = (ADA,), meanwhile: Act = idle) -> None:
    """Request a sign-in link, and type codes; "right" is the code of the last link."""
    public_ids = [
        log_in_by_email.request_sign_in(scene.context, scene.visitor, parse_email(email)) for email in asked_for
    ]
    meanwhile(scene)
    for code in codes:
        typed = scene.context.signer.code(Purpose.SIGN_IN, public_ids[-1]) if code == "right" else code
        with suppress(Refused):
            log_in_by_email.get_sign_in_link_by_code(scene.context, scene.visitor, public_ids, typed)


def type_a_dead_code(scene: Scene) -> None:
    scene.join()
    type_codes(scene, *["no code"] * 5, "right", "right")


def type_a_code_that_is_too_old(scene: Scene) -> None:
    scene.join()
    type_codes(scene, "right", meanwhile=lambda scene: scene.change_row(update(Link).values(expires_at=EPOCH)))


def type_the_code_of_a_link_that_was_used(scene: Scene) -> None:
    scene.join()
    type_codes(scene, "right", meanwhile=lambda scene: scene.change_row(update(Link).values(used_at=EPOCH)))


def type_a_code_once_banned(scene: Scene) -> None:
    scene.join()
    type_codes(scene, "right", meanwhile=Scene.ban)


def mistype_a_code_having_asked_for_two(scene: Scene) -> None:
    scene.add_guest(ADA)
    scene.add_guest("bob@example.com")
    type_codes(scene, "no code", asked_for=(ADA, "bob@example.com"))


def lift_a_ban(scene: Scene) -> None:
    scene.join()
    scene.ban()
    ban.unban(scene.context, scene.visitor.organisation_id, parse_email(ADA))


JOINED: list[Row] = [("register", None, True), ("confirm", None, True), ("sign_in", None, True)]

ASKED: list[Row] = [*JOINED, ("sign_in_request", None, True)]
MISTYPED: Row = ("sign_in_by_mail", "WRONG_CODE", True)
ENDED: Row = ("sign_in_by_mail", "CODE_ENDED", True)


@pytest.mark.parametrize(
    ("happens", "rows"),
    [
        (register, [("register", None, True)]),
        (send_again, [("register", None, True), ("resend", None, True)]),
        (confirm, JOINED),
        (confirm_with_a_wrong_password, [("register", None, True), ("confirm", "WRONG_PASSWORD", True)]),
        (sign_in, [*JOINED, ("sign_in", None, True)]),
        (sign_in_wrongly, [*JOINED, ("sign_in", "WRONG_PASSWORD", True)]),
        (sign_in_with_an_unknown_address, [("sign_in", "UNKNOWN_CONTACT", False)]),
        (sign_in_unconfirmed, [("register", None, True), ("sign_in", "UNVERIFIED", True)]),
        (sign_in_banned, [*JOINED, ("ban", None, True), ("sign_in", "BANNED", True)]),
        (sign_in_too_often, [("sign_in", "UNKNOWN_CONTACT", False)] * 10 + [("sign_in", "TOO_MANY_LOGINS", False)]),
        (sign_out, [*JOINED, ("sign_out", None, True)]),
        (sign_out_without_an_identity, []),
        (ask_for_a_reset, [("reset_request", None, False)]),
        (reset, [*JOINED, ("reset_request", None, True), ("reset", None, True)]),
        (guess_links, [("link_guess", "TOO_MANY_LOGINS", False)]),
        (change_password, [*JOINED, ("password_change", None, True)]),
        (change_password_wrongly, [*JOINED, ("password_change", "WRONG_PASSWORD", True)]),
        (mistype_a_code, [("sign_in_request", None, False), ("sign_in_by_mail", "WRONG_CODE", False)]),
        (
            mistype_a_code_as_a_customer,
            [*JOINED, ("sign_in_request", None, True), ("sign_in_by_mail", "WRONG_CODE", True)],
        ),
        (mistype_the_code_of_a_registration, [("register", None, True), ("confirm", "WRONG_CODE", True)]),
        (type_an_unrequested_code, []),
        (type_a_dead_code, [*ASKED, *[MISTYPED] * 4, *[ENDED] * 2]),
        (type_a_code_that_is_too_old, [*ASKED, ENDED]),
        (type_the_code_of_a_link_that_was_used, [*ASKED, ("sign_in_by_mail", "LINK_ENDED", True)]),
        (
            type_a_code_once_banned,
            [*ASKED, ("ban", None, True), ("sign_in_by_mail", "LINK_ENDED", True)],
        ),
        (
            mistype_a_code_having_asked_for_two,
            [("sign_in_request", None, True)] * 2 + [("sign_in_by_mail", "WRONG_CODE", False)],
        ),
        (lift_a_ban, [*JOINED, ("ban", None, True), ("unban", None, True)]),
    ],
)
def test_each_action_is_recorded_as_an_event(scene: Scene, happens: Callable[[Scene], None], rows: list[Row]) -> None:
    with suppress(Refused):
        happens(scene)
    found = scene.rows(select(Event).order_by(Event.c.id))
    assert [(row.kind, row.refusal, row.contact_id is not None) for row in found] == rows
    for row in found:
        assert row.occurred_at == scene.context.clock()
        assert row.organisation_id == scene.visitor.organisation_id
        from_outside = row.kind not in ("ban", "unban")  # the operator has neither address nor browser
        assert (row.ip, row.user_agent, row.request_id) == (
            ("192.0.2.10", "Browser/1.0", "f" * 32) if from_outside else (None, None, None)
        )


def test_no_event_and_no_line_of_the_log_holds_an_address_or_a_secret(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "portal")
    scene.fail_to_log_in("nobody@example.com", times=11)
    secrets = [scene.join(first_name="Ada"), scene.log_in()]
    secrets.append(scene.change(secrets[1], PASSWORD, SECOND_PASSWORD))
    secrets.append(scene.ask_reset())
    scene.reset(secrets[-1], PASSWORD + " and more")
    written = repr([tuple(row) for row in scene.rows(select(Event))]) + caplog.text
    assert "contact=1" in caplog.text
    assert "sign_in" in written
    for secret in [*secrets, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, "example.com", "nobody", "Ada"]:
        assert secret not in written


def happen(scene: Scene, connection: Connection) -> None:
    record(connection, scene.visitor, EventKind.SIGN_IN, contact_id=None, now=scene.context.clock())


def test_an_event_is_logged_after_the_commit(scene: Scene) -> None:
    with lines_of("portal.events") as lines, scene.context.database.write() as connection:
        happen(scene, connection)
        assert lines == []
    assert [line["kind"] for line in lines] == ["sign_in"]


def test_a_rolled_back_event_is_never_logged(scene: Scene) -> None:
    def fail(_connection: object) -> None:
        raise OperationalError("COMMIT", None, sqlite3.OperationalError("database or disk is full"))

    engine = scene.context.database.engine
    with lines_of("portal.events") as lines:
        with suppress(ZeroDivisionError), scene.context.database.write() as connection:
            happen(scene, connection)
            raise ZeroDivisionError
        event.listen(engine, "commit", fail)
        with suppress(DatabaseUnavailable), scene.context.database.write() as connection:
            happen(scene, connection)
        event.remove(engine, "commit", fail)
        with scene.context.database.write() as connection:
            connection.execute(select(Event))
    assert lines == []
    assert scene.rows(select(Event)) == []
