"""A customer is deleted during their own request, before each of its statements: the request is answered completely."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from portal.domain.context import Context
from portal.domain.operations.customers import UnknownCustomer
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.values.email import parse_email
from portal.storage.backends import DatabaseUnavailable
from tests.api.shop import new_shop
from tests.faults.prepared_requests import ASKED_ONCE, EMAIL, REQUESTS, Send
from tests.web.conftest import Site, Start

# On SQLite no other connection can write between two statements of a writing transaction.
pytestmark = [pytest.mark.on_postgresql, pytest.mark.full]

PATIENT = {"options": "-c lock_timeout=20ms"}
"""The deletion does not wait for locks of the request, which would wait for the deletion."""


@contextmanager
def deleting_before(number: int, site: Site, operator: Context, deletions: list[int]) -> Iterator[list[str]]:
    """Delete the customer before a statement, if no lock prevents it; yield the statements of the request."""
    seen: list[str] = []

    def delete(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)
        if len(seen) == number:
            with suppress(UnknownCustomer, DatabaseUnavailable):
                delete_customer(operator, 1, parse_email(EMAIL))
                deletions.append(number)

    engine = site.context.database.engine
    event.listen(engine, "before_cursor_execute", delete)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", delete)


@pytest.mark.parametrize("prepare", REQUESTS, ids=lambda prepare: prepare.__name__)
def test_a_request_of_a_customer_deleted_meanwhile_gets_an_answer(start: Start, prepare: Callable[..., Send]) -> None:
    roomy = dict.fromkeys(("REGISTER_LIMIT_NETWORK", "MAIL_LIMIT_ADDRESS", "MAIL_LIMIT_NETWORK"), "100000 per hour")
    site = start(**roomy, BASE_URL="https://portal.example.com")  # passkeys need a host name
    url = site.context.database.engine.url
    patient = url.update_query_dict(PATIENT).render_as_string(hide_password=False)
    operator = start(DATABASE_URL=patient).context
    shop = new_shop(site)
    deletions: list[int] = []
    for number in count(1):
        send = prepare(site, shop)
        with deleting_before(number, site, operator, deletions) as statements:
            status = send()
        assert status < 500, statements[number - 1]
        with suppress(UnknownCustomer):
            delete_customer(operator, 1, parse_email(EMAIL))
        if len(statements) < number:
            break
    assert deletions[:1] == [1]
    assert len(deletions) > 1 or prepare in ASKED_ONCE, "no customer was deleted after the first statement"
