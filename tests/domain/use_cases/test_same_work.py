"""A request for any address costs the same, known or unknown: statements, hashes, emails and rows."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from sqlalchemy import select, update

from portal.domain.errors import Refused
from portal.domain.outbox import Notice
from portal.domain.rate_limits import password_limits, registration_email_limits, registration_limits
from portal.domain.tokens import random_id
from portal.domain.use_cases.confirm_address_change import confirm_address_change, get_requested_change
from portal.domain.use_cases.request_address_change import request_address_change
from portal.domain.values.email import parse_email
from portal.storage.models import METADATA, Contact, Registration
from tests.domain.full_customer import set_up_two_step_of
from tests.domain.instrumentation import HashCounter, statements_of
from tests.domain.scene import ADA, SECOND_PASSWORD, WRONG_PASSWORD, Scene

STRANGER = "stranger@example.com"


def become_guest(scene: Scene) -> None:
    scene.add_guest()


def become_pending(scene: Scene) -> None:
    scene.register()


def become_pending_twice(scene: Scene) -> None:
    scene.register()
    scene.register(ADA, SECOND_PASSWORD)


def become_guest_who_registers(scene: Scene) -> None:
    scene.add_guest()
    scene.register()


def become_customer(scene: Scene) -> None:
    scene.join()


def become_customer_with_former_passwords(scene: Scene) -> None:
    scene.join()
    for number in range(3):
        scene.reset(scene.ask_reset(), f"{SECOND_PASSWORD} {number}")


def become_customer_with_a_second_step(scene: Scene) -> None:
    set_up_two_step_of(scene, scene.join())


def become_banned(scene: Scene) -> None:
    scene.join()
    scene.ban()


def become_locked(scene: Scene) -> None:
    scene.join()
    scene.change_row(update(Contact).values(failed_passwords=100))


def become_closed(scene: Scene) -> None:
    scene.close(scene.join())


def become_closed_and_banned(scene: Scene) -> None:
    become_closed(scene)
    scene.ban()


def become_banned_guest(scene: Scene) -> None:
    scene.add_guest()
    scene.ban()


def become_imported(scene: Scene) -> None:
    scene.add_imported()


def become_former_with_pending(scene: Scene) -> None:
    customer = scene.get(scene.join())
    request_address_change(scene.context, scene.visitor, customer, parse_email("ada.new@example.com"))
    requested = get_requested_change(scene.context, scene.visitor, scene.token(Notice.ADDRESS_CHANGE))
    confirm_address_change(scene.context, scene.visitor, requested.link)
    scene.register(ADA, SECOND_PASSWORD)


KNOWN = [
    become_guest,
    become_pending,
    become_pending_twice,
    become_guest_who_registers,
    become_customer,
    become_customer_with_former_passwords,
    become_customer_with_a_second_step,
    become_banned,
    become_locked,
    become_closed,
    become_closed_and_banned,
    become_banned_guest,
    become_former_with_pending,
]
STRANGERS_PASSWORD = "thimble walrus lagoon 29"


@pytest.fixture(params=["no device", "invented device", "device of another customer"])
def asking(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """An attacker's browser, which may have a device cookie of its own."""
    if request.param == "no device":
        return scene
    if request.param == "invented device":
        return scene.in_browser(random_id())
    scene.join("eve@example.com")
    return scene.in_known_browser("eve@example.com")


@dataclass
class Work:
    statements: list[str]
    hashes: int
    rows: dict[str, int]


def work_of(scene: Scene, hashes: HashCounter, ask: Callable[[], object]) -> Work:
    def rows() -> dict[str, int]:
        return {name: scene.count(table) for name, table in METADATA.tables.items()}

    rows_before, hashes_before = rows(), hashes.computed
    with statements_of(scene.context.database.engine) as statements, suppress(Refused):
        ask()
    computed = hashes.computed - hashes_before
    return Work(statements, computed, {table: after - rows_before[table] for table, after in rows().items()})


@pytest.mark.parametrize("become_known", KNOWN)
def test_a_wrong_password_costs_the_same_work_for_every_address(
    asking: Scene, hashes: HashCounter, become_known: Callable[[Scene], None]
) -> None:
    become_known(asking.in_browser(None))
    known = work_of(asking, hashes, lambda: asking.log_in(ADA, WRONG_PASSWORD))
    unknown = work_of(asking, hashes, lambda: asking.log_in(STRANGER, WRONG_PASSWORD))
    assert known == unknown
    assert (unknown.hashes, unknown.rows["event"], unknown.rows["outbox"]) == (1, 1, 0)


@pytest.mark.parametrize("become_known", KNOWN)
def test_a_registration_costs_the_same_work_for_every_address(
    scene: Scene, hashes: HashCounter, become_known: Callable[[Scene], None]
) -> None:
    become_known(scene)
    known = work_of(scene, hashes, lambda: scene.register(ADA, WRONG_PASSWORD))
    unknown = work_of(scene, hashes, lambda: scene.register(STRANGER, WRONG_PASSWORD))
    # A registration of an unknown address stores a contact. The statement runs for a known one, too.
    assert (known.rows.pop("contact"), unknown.rows.pop("contact")) == (0, 1)
    assert known == unknown
    assert (unknown.hashes, unknown.rows["registration"], unknown.rows["outbox"]) == (1, 1, 1)


@pytest.mark.parametrize("become_known", KNOWN)
def test_a_reset_request_costs_the_same_work_for_every_address(
    asking: Scene, hashes: HashCounter, become_known: Callable[[Scene], None]
) -> None:
    become_known(asking.in_browser(None))
    known = work_of(asking, hashes, asking.request_reset)
    unknown = work_of(asking, hashes, lambda: asking.request_reset(STRANGER))
    assert known == unknown
    assert (unknown.hashes, unknown.rows["link"], unknown.rows["outbox"]) == (0, 1, 1)


def counted(scene: Scene, email: str) -> dict[str, int]:
    """The limits of an address, and of the visitor's network."""
    guards = [
        *password_limits(scene.context, scene.visitor, email, None),
        *registration_limits(scene.context, scene.visitor),
        *registration_email_limits(scene.context, scene.visitor, email),
    ]
    return {guard.scope: scene.context.rate_limiter.counters.get(guard.storage_key) for guard in guards}


@pytest.mark.parametrize("become_known", [*KNOWN, become_imported])
def test_signing_in_with_a_decoy_password_costs_the_same_work(
    scene: Scene, hashes: HashCounter, become_known: Callable[[Scene], None]
) -> None:
    become_known(scene)
    scene.context.rate_limiter.counters.reset()

    def register_sign_in_resend(stranger: Scene, email: str) -> list[Work]:
        registrations: list[str] = []
        steps: list[Callable[[], object]] = [
            lambda: registrations.append(stranger.register(email, STRANGERS_PASSWORD)),
            lambda: stranger.log_in(email, STRANGERS_PASSWORD),
            lambda: stranger.log_in(email, STRANGERS_PASSWORD),
            lambda: stranger.log_in(email, WRONG_PASSWORD),
            lambda: stranger.resend(registrations[0]),
        ]
        return [work_of(stranger, hashes, step) for step in steps]

    stranger, other = scene.elsewhere("198.51.100.66"), scene.elsewhere("198.51.100.67")
    known = register_sign_in_resend(stranger, ADA)
    unknown = register_sign_in_resend(other, STRANGER)
    for work in (known[0], unknown[0]):
        del work.rows["contact"]
    assert known == unknown
    assert [work.hashes for work in unknown] == [1, 1, 1, 1, 0]
    assert [work.rows["outbox"] for work in unknown] == [1, 0, 0, 0, 1]
    assert counted(stranger, ADA) == counted(other, STRANGER)
    failed = select(Registration.c.failed_passwords).order_by(Registration.c.id.desc()).limit(2)
    assert scene.rows(failed) == [(1,), (1,)]


@pytest.mark.parametrize("become_known", [*KNOWN, become_imported])
def test_a_registration_is_counted_the_same_on_every_contact(
    scene: Scene, become_known: Callable[[Scene], None]
) -> None:
    become_known(scene)
    failed = select(Contact.c.failed_passwords).where(Contact.c.email == ADA)
    [(before,)] = scene.rows(failed) or [(0,)]
    stranger = scene.without_limits().elsewhere("198.51.100.66")
    stranger.register(ADA, STRANGERS_PASSWORD)
    for password in (STRANGERS_PASSWORD, WRONG_PASSWORD):
        with suppress(Refused):
            stranger.log_in(ADA, password)
    assert scene.rows(failed) == [(before + 2,)]


@pytest.mark.parametrize("become_known", [*KNOWN, None])
def test_requests_over_the_limit_are_refused_the_same_for_every_address(
    scene: Scene, hashes: HashCounter, become_known: Callable[[Scene], None] | None
) -> None:
    if become_known:
        become_known(scene.without_limits())
    scene.fail_to_log_in(ADA, times=10)
    counts = [work_of(scene, hashes, lambda: scene.log_in(ADA, WRONG_PASSWORD)) for _ in range(3)]
    assert [work.hashes for work in counts] == [0, 0, 0]
    assert [work.rows["event"] for work in counts] == [1, 0, 0]
    assert [len(work.statements) for work in counts] == [1, 0, 0]
    forged = scene.in_browser(random_id())
    assert len(work_of(scene, hashes, lambda: forged.log_in(ADA, WRONG_PASSWORD)).statements) == 1
