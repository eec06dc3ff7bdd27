"""A process that uses a link is killed at each step, and the customer tries again."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.faults.process_death import Point, after, after_commit, answered, before, before_commit, carried, kill
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.post import last_link

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
NEW_PASSWORD = "eleven grey otters dive"


@dataclass(frozen=True)
class Use:
    """An emailed link and its form; the points lie between the UPDATE that uses it and the COMMIT."""

    ask: Callable[[Browser], object]
    typed: dict[str, str]
    points: tuple[Point, ...]
    of_customer: bool = True
    repeats: bool = False
    """Whether the same form, sent again by the same browser, succeeds again."""

    @property
    def password(self) -> str:
        """The password that opens the account afterwards."""
        return self.typed.get("password", PASSWORD)


USES = {
    "verification": Use(
        lambda browser: browser.register(EMAIL, PASSWORD),
        {"password": PASSWORD},
        (
            after("UPDATE link"),
            after("INSERT INTO account"),
            after("UPDATE registration"),
            after("INSERT INTO identity"),
            before_commit("INSERT INTO identity"),
        ),
        of_customer=False,
    ),
    "reset": Use(
        lambda browser: browser.ask_for_reset(EMAIL),
        {"password": NEW_PASSWORD},
        (
            after("UPDATE link"),
            after("INSERT INTO former_password"),
            before("UPDATE identity"),
            after("UPDATE identity"),
            after("INSERT INTO outbox"),
            before_commit("INSERT INTO outbox"),
        ),
        repeats=True,
    ),
    "sign-in": Use(
        lambda browser: browser.fill("/login/link", {"email": EMAIL}),
        {},
        (
            after("UPDATE link"),
            after("UPDATE contact"),
            after("INSERT INTO identity"),
            before_commit("INSERT INTO identity"),
        ),
    ),
}
EACH_USE = pytest.mark.parametrize("use", USES.values(), ids=USES)


def signed_in_before(site: Site, use: Use) -> list[Browser]:
    """The browser that was signed in when the link was requested."""
    return [site.customer(EMAIL)] if use.of_customer else []


def mailed(site: Site, use: Use) -> str:
    """The path of the unused link."""
    use.ask(site.browser())
    return last_link(site.mails(EMAIL)).removeprefix(site.settings.base_url)


def assert_was_used_once(site: Site, use: Use, link: str, before: list[Browser]) -> None:
    """Check that the effect of the link has happened completely, and cannot happen again."""
    assert site.browser().open(link).status == 410
    rows = site.rows()
    assert (len(rows["contact"]), len(rows["account"])) == (1, 1)
    assert site.browser().sign_in(EMAIL, use.password).status == 302
    if use.password != PASSWORD:
        assert site.browser().sign_in(EMAIL, PASSWORD).status == 422
        assert len(rows["former_password"]) == 1
    notices = [mail for mail in site.mails(EMAIL) if "changed" in mail["Subject"]]
    assert len(notices) == (use.password != PASSWORD), "one notice of a new password"
    assert [browser.is_signed_in for browser in before] == [use.password == PASSWORD] * len(before)


@EACH_USE
def test_a_kill_before_the_commit_keeps_the_link_valid_and_a_retry_succeeds(site: Site, use: Use) -> None:
    earlier = signed_in_before(site, use)
    link = mailed(site, use)
    browser = site.browser()
    form = browser.open(link).form()
    before = site.rows()
    for number, point in enumerate(use.points):
        kill(site, point, lambda other: carried(browser, other).post(form, use.typed))
        assert site.rows() == before, f"point {number}"
    assert all(signed_in.is_signed_in for signed_in in earlier)
    page = browser.post(form, use.typed)
    assert page.status == 302
    assert browser.is_signed_in == ("/account" in page.location)
    assert_was_used_once(site, use, link, earlier)


@EACH_USE
@pytest.mark.parametrize("point", [after_commit("UPDATE link"), answered], ids=["after COMMIT", "before the cookie"])
def test_a_kill_after_the_commit_has_used_the_link_completely(site: Site, use: Use, point: Point) -> None:
    earlier = signed_in_before(site, use)
    link = mailed(site, use)
    browser = site.browser()
    form = browser.open(link).form()
    kill(site, point, lambda other: carried(browser, other).post(form, use.typed))
    again = browser.post(form, use.typed)
    assert again.status == (302 if use.repeats else 410)
    assert browser.is_signed_in == use.repeats
    assert_was_used_once(site, use, link, earlier)
