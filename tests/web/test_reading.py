"""No GET or HEAD changes anything, not even of a page whose button would."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import time_machine
from werkzeug.routing import Rule

from tests.web.conftest import Site
from tests.web.framing import NONCE, SHOP, allow

EMAIL = "ada@example.com"


def paths_of(site: Site, tokens: dict[str, str]) -> list[str]:
    """Return an address for every route that accepts GET; for links, every one that was emailed."""

    def filled(rule: Rule) -> str:
        path = rule.rule
        for name in rule.arguments:
            value = tokens.get(rule.endpoint, "portal.css" if rule.endpoint == "static" else "none")
            path = path.replace(f"<path:{name}>", value).replace(f"<{name}>", value)
        return path

    return [filled(rule) for rule in site.app.url_map.iter_rules()]


@pytest.mark.parametrize("signed_in", [True, False], ids=["signed in", "signed out"])
def test_a_crawl_over_every_route_does_not_change_the_database(site: Site, signed_in: bool) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        customer = allow(site).customer(EMAIL)
        site.browser().fill("/login/link", {"email": EMAIL})
        sign_in = site.link(EMAIL).rpartition("/")[2]
        customer.ask_for_reset(EMAIL)
        site.browser().register("bob@example.com", "seven tall herons wade")
        tokens = {
            "mail_sign_in.open": sign_in,
            "password.set_new": site.link(EMAIL).rpartition("/")[2],
            "register.verify": site.link("bob@example.com").rpartition("/")[2],
        }
        browser = customer if signed_in else site.browser()
        before = site.rows()
        paths = paths_of(site, tokens)
        answers = {path: browser.send(path, method).status for path in paths for method in ("HEAD", "OPTIONS", "GET")}
        visits = [
            f"?{urlencode({'return_url': f'{SHOP}/{page}', 'state': 's', 'nonce': NONCE})}"
            for page in ("welcome", "news")
        ]
        queries = (
            *visits,
            "?csrf_token=x&email=a@example.com&password=x",
            "?_method=POST",
            "?next=/logout",
            "?ref=" + "a" * 16,
        )
        for path in paths:
            for query in queries:
                browser.send(path + query)

        assert site.rows() == before
        assert len(answers) >= 18
        assert {status for path, status in answers.items() if tokens["password.set_new"] in path} == {200}
        assert set(answers.values()) <= {200, 302, 404, 405}
        assert browser.is_signed_in == signed_in
        site.deliver()
        assert len(site.mails()) == 4
