"""A new password that was used before is refused, at the cost of one hash."""

from portal.domain.errors import Failure
from tests.domain.instrumentation import HashCounter
from tests.domain.scene import PASSWORD, SECOND_PASSWORD, Scene, refused


def test_a_former_password_is_e002_and_costs_one_hash(scene: Scene, hashes: HashCounter) -> None:
    scene = scene.without_limits()
    scene.join()
    passwords = [PASSWORD, *(f"{SECOND_PASSWORD} {number}" for number in range(24))]
    for password in passwords[1:]:
        scene.reset(scene.ask_reset(), password)
    token = scene.ask_reset()
    before = hashes.computed
    for password in passwords:
        with refused(Failure.PASSWORD_REUSED):
            scene.reset(token, password)
    scene.reset(token, "something quite new 77")
    assert hashes.computed == before + len(passwords) + 1


def test_guesses_at_former_passwords_with_a_valid_link_are_limited(scene: Scene, hashes: HashCounter) -> None:
    scene.join()
    token = scene.ask_reset()
    for _ in range(10):
        with refused(Failure.PASSWORD_REUSED):
            scene.reset(token, PASSWORD)
    before = hashes.computed
    with refused(Failure.TOO_MANY_LOGINS):
        scene.reset(token)
    with refused(Failure.TOO_MANY_LOGINS):
        scene.reset(scene.ask_reset())
    assert hashes.computed == before
