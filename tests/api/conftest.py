import pytest

from tests.api.shop import Shop, new_shop
from tests.web.conftest import Site, environ, hashes, site, start

__all__ = ["environ", "hashes", "site", "start"]  # fixtures of the tests of pages that these tests use, too


@pytest.fixture
def shop(site: Site) -> Shop:
    """The server of the default organisation."""
    return new_shop(site)
