"""What the API answers when the portal itself fails: 500 and 503."""

from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tests.api.platform_errors import EMAIL, LOGIN, assert_platform_error
from tests.api.shop import Answer, Shop
from tests.web.conftest import PASSWORD, Site
from tests.web.flood import flood
from tests.web.test_errors import run, writing


@pytest.mark.on_sqlite  # which does not change a value that is no date
def test_a_server_error_is_a_500_with_a_reference_and_no_details(
    site: Site, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    site.customer(EMAIL)
    run(site, "UPDATE contact SET confirmed_at = 'no date at all'")
    answer = shop.post("login", **LOGIN)
    assert_platform_error(answer, 500)
    assert not any(word in str(answer.json) for word in ("ValueError", "no date", ".py", "sqlite", EMAIL))
    reference = answer.json["error"]["description"].split()[-1].rstrip(".")
    assert len(reference) == 16
    assert f"unexpected ValueError request={reference}" in caplog.text
    assert PASSWORD not in caplog.text
    assert shop.post("logout", identityId="x").status == 200


def test_a_lost_database_is_a_503(site: Site, shop: Shop) -> None:
    run(site, "DROP TABLE api_key")
    answer = shop.post("login", **LOGIN)
    assert_platform_error(answer, 503)
    assert answer.headers["Retry-After"] == str(answer.json["error"]["retry_after"])


@pytest.mark.on_sqlite
def test_a_locked_database_is_a_503_and_nothing_is_lost(site: Site, shop: Shop) -> None:
    site.customer(EMAIL)
    shop.post("logout", identityId="x")
    before = site.rows()
    with writing(site):
        for endpoint, body in (("login", LOGIN), ("reset-password", {"email": EMAIL})):
            answer = shop.post(endpoint, **body)
            assert_platform_error(answer, 503)
            assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert site.rows() == before
    assert shop.post("login", **LOGIN).json["success"]


def test_a_pool_without_a_free_connection_is_a_503(site: Site, shop: Shop) -> None:
    def fail(*_arguments: Any) -> None:
        raise PoolTimeout

    event.listen(site.context.database.engine, "checkout", fail)
    try:
        assert_platform_error(shop.post("login", **LOGIN), 503)
    finally:
        event.remove(site.context.database.engine, "checkout", fail)


def test_too_many_passwords_at_once_is_a_503(site: Site, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def log_in(number: int) -> Answer:
        return shop.post("login", email=f"a{number}@example.com", password="wrong")

    answers = flood(monkeypatch, log_in)
    assert {answer.status for answer in answers} == {200, 503}
    for answer in answers:
        if answer.status == 503:
            assert_platform_error(answer, 503)
            assert 0 < int(answer.headers["Retry-After"]) <= 60
