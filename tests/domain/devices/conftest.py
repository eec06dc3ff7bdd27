import pytest
from limits import parse as parse_limit
from sqlalchemy import select

from portal.domain.outbox import Notice
from portal.domain.use_cases.log_in_by_email import get_sign_in_link, log_in_by_email, request_sign_in
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Device
from tests.domain.scene import ADA, Scene, identity_of

EVE = "eve@example.com"
STRANGERS = "198.51.100.7"
ROOMY = parse_limit("100000 per hour")


def spray(scene: Scene, times: int = 15, email: str = ADA) -> None:
    """Try wrong passwords from many networks."""
    for number in range(times):
        scene.in_browser(None).elsewhere(f"198.51.100.{number % 250}").fail_to_log_in(email)


def sign_in_by_link(scene: Scene, email: str = ADA) -> str:
    request_sign_in(scene.context, scene.visitor, parse_email(email))
    link = get_sign_in_link(scene.context, scene.visitor, scene.token(Notice.SIGN_IN))
    return identity_of(log_in_by_email(scene.context, scene.visitor, link, remember=False, replacing=None).sign_in)


def reset(scene: Scene) -> None:
    scene.reset(scene.ask_reset())


def counts(scene: Scene) -> tuple[int, list[int]]:
    """Return the failed-password counters: the customer's, and those of their devices, the oldest first."""
    ((of_strangers,),) = scene.rows(select(Contact.c.failed_passwords).where(Contact.c.email == ADA))
    return of_strangers, [count for (count,) in scene.rows(select(Device.c.failed_passwords).order_by(Device.c.id))]


@pytest.fixture
def owner(scene: Scene) -> Scene:
    """Return a scene whose browser is a known device of its customer."""
    scene.join()
    return scene.in_known_browser()
