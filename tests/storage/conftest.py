"""Fixtures for the tests of storage."""

from tests.domain.conftest import scene

__all__ = ["scene"]
