"""A customer who has a passkey on the phone."""

import pytest

from tests.domain.passkey_customer import add, log_in
from tests.domain.scene import Scene
from tests.passkeys import Authenticator

GOOGLE = bytes.fromhex("ea9b8d664d011d213ce4b6b48cb575d4")
"""Google Password Manager."""


@pytest.fixture
def phone() -> Authenticator:
    return Authenticator(aaguid=GOOGLE)


@pytest.fixture
def identity(scene: Scene, phone: Authenticator) -> str:
    """A session of a customer who has a passkey on the phone."""
    identity = scene.join()
    add(scene, identity, phone)
    return identity


@pytest.fixture
def without_password(scene: Scene, phone: Authenticator) -> str:
    """A session of a customer who has a passkey and no password."""
    scene.add_guest()
    add(scene, scene.log_in_by_email(), phone)
    return log_in(scene, phone)
