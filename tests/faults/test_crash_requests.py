"""A process is killed at each step of a request for an email, and the customer tries again."""

from dataclasses import dataclass, field

import pytest

from tests.faults.process_death import Point, after, after_commit, answered, before, before_commit, carried, kill
from tests.web.browser import Browser, Form
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.post import link_in

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
NEW_PASSWORD = "eleven grey otters dive"


@dataclass(frozen=True)
class Request:
    """The request, the tables that it writes in this order, and the fields of the form behind its link."""

    path: str
    tables: tuple[str, ...]
    typed: dict[str, str] = field(default_factory=dict)
    typed_at_link: dict[str, str] = field(default_factory=dict)
    of_customer: bool = True


REGISTRATION = Request(
    "/register",
    ("contact", "registration", "link", "outbox", "event"),
    {"password": PASSWORD, "first_name": "Ada", "last_name": "Quill"},
    {"password": PASSWORD},
    of_customer=False,
)
RESET = Request("/password/reset", ("link", "outbox", "event"), {}, {"password": NEW_PASSWORD})
SIGN_IN = Request("/login/link", ("link", "outbox", "event"))
REQUESTS = (REGISTRATION, RESET, SIGN_IN)


def points_before_the_commit(request: Request) -> dict[str, Point]:
    first, last = request.tables[0], request.tables[-1]
    return {
        f"before {first}": before(f"INSERT INTO {first}"),
        **{f"after {table}": after(f"INSERT INTO {table}") for table in request.tables},
        "before COMMIT": before_commit(f"INSERT INTO {last}"),
    }


DONE = [
    pytest.param(request, point, id=f"{request.path} {name}")
    for request in REQUESTS
    for name, point in {"after COMMIT": after_commit("INSERT INTO outbox"), "before the answer": answered}.items()
]


@pytest.fixture
def site(start: Start) -> Site:
    """A portal whose limits allow an attempt for each point."""
    return start(MAIL_LIMIT_ADDRESS="1000 per hour")


def about_to_send(site: Site, request: Request) -> tuple[Browser, Form]:
    """A browser with the form open. For a reset or a sign-in there is an account; no email waits."""
    if request.of_customer:
        site.customer(EMAIL)
    browser = site.browser()
    return browser, browser.open(request.path).form()


def new_links(site: Site, request: Request) -> list[str]:
    """Return the links that have arrived since, each in one email."""
    mails = site.mails(EMAIL)[1 if request.of_customer else 0 :]
    assert len({mail["Message-ID"] for mail in mails}) == len(mails), "a mail came twice"
    return [link_in(mail).removeprefix(site.settings.base_url) for mail in mails]


def assert_is_used_once(site: Site, request: Request, link: str) -> None:
    """Check that a link works once, and that there is one account, which its password opens."""
    assert site.browser().fill(link, request.typed_at_link).status == 302
    assert site.browser().open(link).status == 410
    rows = site.rows()
    assert (len(rows["contact"]), len(rows["account"])) == (1, 1)
    password = request.typed_at_link.get("password", PASSWORD)
    assert site.browser().sign_in(EMAIL, password).status == 302


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.path)
def test_a_kill_before_the_commit_leaves_nothing_and_a_retry_succeeds(site: Site, request_: Request) -> None:
    browser, form = about_to_send(site, request_)
    typed = {"email": EMAIL, **request_.typed}
    before = site.rows()
    for name, point in points_before_the_commit(request_).items():
        kill(site, point, lambda other: carried(browser, other).post(form, typed))
        assert site.rows() == before, name
    assert new_links(site, request_) == []
    assert browser.post(form, typed).status == 302
    (link,) = new_links(site, request_)
    assert_is_used_once(site, request_, link)


@pytest.mark.parametrize(("request_", "point"), DONE)
def test_a_kill_after_the_commit_loses_no_mail_and_a_retry_is_harmless(
    site: Site, request_: Request, point: Point
) -> None:
    browser, form = about_to_send(site, request_)
    typed = {"email": EMAIL, **request_.typed}
    kill(site, point, lambda other: carried(browser, other).post(form, typed))
    (first,) = new_links(site, request_)
    assert browser.post(form, typed).status == 302
    (_, second) = new_links(site, request_)
    assert_is_used_once(site, request_, first)
    assert site.browser().open(second).status == 410, "two states live side by side"
