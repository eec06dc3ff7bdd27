import pytest

from tests.web.authenticator import Phone, set_up
from tests.web.conftest import Site
from tests.web.two_step.ways_in import EMAIL


@pytest.fixture
def phone(site: Site) -> Phone:
    return set_up(site, site.customer(EMAIL))
