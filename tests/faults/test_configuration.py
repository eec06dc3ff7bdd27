"""Settings that let a portal serve no request, or count all visitors as one, are refused or warned about."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.api.shop import Shop
from tests.web.conftest import Site, Start

pytestmark = pytest.mark.on_sqlite

FORWARDED = {"X-Forwarded-For": "203.0.113.9"}


@contextmanager
def told(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Return what the log says of proxies during the block."""
    found: list[str] = []
    caplog.clear()
    with caplog.at_level(logging.INFO, "portal.proxies"):
        yield found
    found += [record.getMessage() for record in caplog.records if record.name == "portal.proxies"]


def test_an_untrusted_proxy_is_logged_once_without_an_address(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with told(caplog) as found:
        site.browser().send("/login")
    assert found == []
    with told(caplog) as found:
        for _ in range(3):
            site.browser().send("/login", headers=FORWARDED)
    (line,) = found
    assert "TRUSTED_PROXIES" in line
    assert "203.0.113.9" not in line
    assert "192.0.2.10" not in line


def test_an_untrusted_proxy_is_logged_for_api_requests_too(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with told(caplog) as found:
        Shop(site, None).ask("GET", "/api/v1/openapi.json", headers=FORWARDED)
    assert len(found) == 1


def test_a_trusted_proxy_is_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with told(caplog) as found:
        start(TRUSTED_PROXIES="1").browser().send("/login", headers=FORWARDED)
    assert found == []
