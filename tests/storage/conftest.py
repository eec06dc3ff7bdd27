"""What the storage's tests may ask for besides."""

from tests.domain.conftest import scene

__all__ = ["scene"]
