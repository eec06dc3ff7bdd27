import pytest
from sqlalchemy import update

from portal.storage.models import Organisation
from tests.web.conftest import Site


@pytest.fixture(autouse=True)
def _return_origin(site: Site) -> None:
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(return_origins=["https://shop.example.com"]))
