"""Parallel requests: threads, each with a browser of its own, released by one barrier."""

from functools import partial

import pytest
from sqlalchemy import update

from portal.domain.operations.retention import purge
from portal.storage.models import Contact
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start, in_parallel
from tests.web.post import code_in, link_in

pytestmark = pytest.mark.differs_on_postgresql

EMAIL = "ada@example.com"


def test_twenty_parallel_uses_of_one_reset_link_set_one_password(start: Start) -> None:
    site = start(LOGIN_LIMIT_ACCOUNT="100 per 20 minutes")
    site.customer(EMAIL)
    site.browser().ask_for_reset(EMAIL)
    link = site.link(EMAIL)
    mails = len(site.mails(EMAIL))
    passwords = [f"nine grey otters swim {number}" for number in range(20)]
    opened = [(browser, browser.open(link).form()) for browser in (site.browser() for _ in passwords)]

    def use(browser: Browser, password: str) -> tuple[int, str]:
        form = next(form for other, form in opened if other is browser)
        page = browser.post(form, {"password": password})
        while page.status == 503:  # too many hashes at once: nothing was done, and the page says to try again
            page = browser.post(form, {"password": password})
        return page.status, password

    works = [partial(use, browser, password) for (browser, _), password in zip(opened, passwords, strict=True)]
    answers = in_parallel(works)

    assert sorted(status for status, _ in answers) == [302] + [410] * 19
    (winner,) = (password for status, password in answers if status == 302)
    assert len(site.mails(EMAIL)) == mails + 1
    signed_in = [password for password in passwords[:8] if site.browser().sign_in(EMAIL, password).status == 302]
    assert signed_in == [password for password in passwords[:8] if password == winner]
    assert site.browser().sign_in(EMAIL, winner).status == 302


def test_of_sixty_parallel_wrong_passwords_at_most_ten_are_checked(site: Site, hashes: list[bytes]) -> None:
    site.customer(EMAIL)
    forms = [(browser, browser.open("/login").form()) for browser in (site.browser() for _ in range(60))]
    hashes.clear()
    works = [partial(b.post, form, {"email": EMAIL, "password": f"wrong {n}"}) for n, (b, form) in enumerate(forms)]
    pages: list[Page] = in_parallel(works)

    assert {page.status for page in pages} <= {422, 429, 503}
    assert [page.status for page in pages].count(422) == len(hashes) <= 10
    assert all(int(page.headers["Retry-After"]) > 0 for page in pages if page.status != 422)


def test_parallel_confirmations_of_one_registration_create_one_account(site: Site) -> None:
    browser = site.browser()
    browser.register(EMAIL, PASSWORD)
    link = site.link(EMAIL)
    cookie = browser.cookie()
    assert cookie is not None
    twins = [site.browser() for _ in range(12)]
    for twin in twins:
        twin.set_cookie(cookie)
    forms = [(twin, twin.open(link).form()) for twin in twins]
    pages = in_parallel([partial(twin.post, form) for twin, form in forms])

    assert sorted(page.status for page in pages) == [302] + [410] * 11
    assert [twin.is_signed_in for twin in twins].count(True) == 1
    assert len(site.rows()["account"]) == 1


def test_parallel_registrations_of_one_address_create_one_contact_with_a_link_each(start: Start) -> None:
    site = start(MAIL_LIMIT_ADDRESS="100 per hour")
    browsers = [site.browser() for _ in range(10)]
    forms = [(browser, browser.open("/register").form()) for browser in browsers]
    names = {"email": EMAIL, "first_name": "Ada", "last_name": "Quill"}
    works = [partial(b.post, form, {**names, "password": f"{PASSWORD} {n}"}) for n, (b, form) in enumerate(forms)]
    pages = in_parallel(works)

    sent = [page.status for page in pages].count(302)
    assert {page.status for page in pages} <= {302, 503}
    assert sent >= 1
    assert len(site.rows()["contact"]) == 1
    links = {link_in(mail) for mail in site.mails(EMAIL)}
    assert len(links) == sent


def test_parallel_changes_of_one_password_change_it_once(site: Site) -> None:
    site.customer(EMAIL)
    browsers = [site.browser() for _ in range(6)]
    for browser in browsers:
        browser.sign_in(EMAIL, PASSWORD)
    forms = [(browser, browser.open("/account/password").form()) for browser in browsers]
    typed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
    pages = in_parallel([partial(browser.post, form, typed) for browser, form in forms])

    # A request after the change is signed out by it, and redirected to sign in.
    assert [page.headers.get("Location") for page in pages].count("/account") == 1
    assert {page.status for page in pages} <= {302, 422, 503}
    assert [browser.is_signed_in for browser in browsers].count(True) == 1
    assert len(site.rows()["former_password"]) == 1


def test_parallel_attempts_with_one_reset_link_are_counted(site: Site, hashes: list[bytes]) -> None:
    typed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
    site.customer(EMAIL).fill("/account/password", typed, submit_to="/account/password")
    site.browser().ask_for_reset(EMAIL)
    link = site.link(EMAIL)
    browsers = [site.browser() for _ in range(24)]
    forms = [(browser, browser.open(link).form()) for browser in browsers]
    hashes.clear()
    pages = in_parallel([partial(browser.post, form, {"password": PASSWORD}) for browser, form in forms])

    assert {page.status for page in pages} <= {422, 429, 503}
    assert len(hashes) <= 10


def closing(browser: Browser) -> partial[Page]:
    """Press the last button of the deletion of the account."""
    form = browser.open("/account/delete").form("/account/delete")
    return partial(browser.post, form, {"confirm": "y"})


def live_identities(site: Site) -> int:
    return len([row for row in site.rows()["identity"] if row["ended_at"] is None])


def is_closed(site: Site) -> bool:
    (contact,) = site.rows()["contact"]
    return contact["erase_at"] is not None


def test_a_sign_in_while_the_account_is_deleted_does_not_stay(site: Site) -> None:
    owner = site.customer(EMAIL)
    browsers = [site.browser() for _ in range(8)]
    forms = [(browser, browser.open("/login").form()) for browser in browsers]
    typed = {"email": EMAIL, "password": PASSWORD}
    pages = in_parallel([closing(owner), *(partial(browser.post, form, typed) for browser, form in forms)])

    assert pages[0].status < 500
    assert {page.status for page in pages} <= {302, 422, 503}
    assert (is_closed(site), live_identities(site)) == (True, 0)
    assert not any(browser.is_signed_in for browser in (owner, *browsers))


def test_a_deletion_and_a_reset_at_the_same_moment_have_one_outcome(site: Site) -> None:
    owner, resetting = site.customer(EMAIL), site.browser()
    resetting.ask_for_reset(EMAIL)
    form = resetting.open(site.link(EMAIL)).form()
    reset = partial(resetting.post, form, {"password": "nine grey otters swim"})
    pages = in_parallel([closing(owner), reset])

    assert {page.status for page in pages} <= {302, 410}
    assert live_identities(site) == (0 if is_closed(site) else 1)
    assert resetting.is_signed_in != is_closed(site)
    assert not owner.is_signed_in


def test_a_deletion_and_a_confirmation_at_the_same_moment_close_the_account(site: Site) -> None:
    site.guest(EMAIL)
    owner, registering = site.browser(), site.browser()
    owner.fill("/login/link", {"email": EMAIL})
    assert owner.fill(site.link(EMAIL)).status == 302
    registering.register(EMAIL, PASSWORD)
    form = registering.open(site.link(EMAIL)).form()
    pages = in_parallel([closing(owner), partial(registering.post, form)])

    assert {page.status for page in pages} <= {302, 410}
    assert (is_closed(site), live_identities(site)) == (True, 0)


def test_parallel_deletions_from_one_browser_close_the_account_once(site: Site) -> None:
    owner = site.customer(EMAIL)
    cookie = owner.cookie()
    assert cookie is not None
    twins = [site.browser() for _ in range(4)]
    for twin in twins:
        twin.set_cookie(cookie)
    pages = in_parallel([closing(twin) for twin in twins])

    assert {page.status for page in pages} == {302}
    assert is_closed(site)
    assert [row["notice"] for row in site.rows()["outbox"]].count("closed") == 1


def test_a_keeping_and_the_purge_at_the_same_moment_have_one_outcome(site: Site) -> None:
    closing(site.customer(EMAIL))()
    keeping = site.browser()
    form = keeping.open(site.link(EMAIL)).form()
    with site.context.database.write() as connection:
        connection.execute(update(Contact).values(erase_at=site.context.clock()))
    pages: list[Page] = []

    def keep() -> int:
        pages.append(keeping.post(form))
        return 0

    _, erased = sorted(in_parallel([keep, lambda: purge(site.context)["closed account"]]))
    assert pages[0].status in ((404, 410) if erased else (302,))  # an erased account has no link any more
    assert len(site.rows()["contact"]) == (0 if erased else 1)
    assert site.browser().sign_in(EMAIL, PASSWORD).status == (422 if erased else 302)


def test_parallel_confirmations_of_changes_of_address_make_one_change(site: Site) -> None:
    browser, new = site.customer(EMAIL), "ada.new@example.com"
    browser.fill("/account/email", {"email": new}, submit_to="/account/email")
    code = code_in(site.mails(new)[-1])
    link = site.link(new)
    code_form = browser.open("/account/email/code").form("/account/email/code")
    opened = [(other, other.open(link).form()) for other in (site.browser() for _ in range(8))]
    works = [partial(other.post, form) for other, form in opened]
    pages = in_parallel([partial(browser.post, code_form, {"code": code}), *works])

    assert {page.status for page in pages} <= {302, 410, 422}  # a code that was used meanwhile is a 422, or redirects
    assert len([mail for mail in site.mails(EMAIL) if "was changed" in mail["Subject"]]) == 1
    assert [row["email"] for row in site.rows()["contact"]] == [new]


def test_parallel_undoings_of_a_change_of_address_and_sign_ins_leave_no_session(site: Site) -> None:
    browser, new = site.customer(EMAIL), "ada.new@example.com"
    browser.fill("/account/email", {"email": new}, submit_to="/account/email")
    browser.fill(site.link(new))
    link = site.link(EMAIL)
    browsers = [site.browser() for _ in range(8)]
    undoing = [(each, each.open(link).form(), dict[str, str]()) for each in browsers[:4]]
    signing_in = [(each, each.open("/login").form(), {"email": new, "password": PASSWORD}) for each in browsers[4:]]
    pages = in_parallel([partial(each.post, form, typed) for each, form, typed in undoing + signing_in])

    assert [page.headers.get("Location") for page in pages].count("/password/new") == 1
    assert {page.status for page in pages} <= {302, 410, 422, 503}
    assert [row["email"] for row in site.rows()["contact"]] == [EMAIL]
    assert not any(each.is_signed_in for each in browsers)
