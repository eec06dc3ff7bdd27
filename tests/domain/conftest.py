"""Fixtures for the tests of the domain."""

from collections.abc import Iterator

import argon2.low_level
import pytest

from portal.domain.context import Context, Visitor
from tests.domain.instrumentation import HashCounter
from tests.domain.scene import Scene


@pytest.fixture
def scene(context: Context, visitor: Visitor) -> Scene:
    return Scene(context, visitor)


@pytest.fixture
def hashes(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[HashCounter]:
    """Count the hashes that the Argon2 library computes from now on; it still computes them."""
    counter = HashCounter(argon2.low_level.hash_secret)
    monkeypatch.setattr(argon2.low_level, "hash_secret", counter)
    yield counter
    counter.gate.set()  # releases hashes that a failed test has left waiting


@pytest.fixture
def first(scene: Scene) -> Scene:
    return scene


@pytest.fixture
def second(scene: Scene) -> Scene:
    return scene.at_another_organisation()
