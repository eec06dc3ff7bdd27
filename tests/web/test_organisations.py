"""Several organisations on one portal: each at its host, under its name, and nothing of one is anything in another."""

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest

from portal.domain.operations import ban
from portal.domain.operations.organisation_settings import (
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from portal.domain.values.email import parse_email
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_error_page, assert_headers
from tests.web.post import html_of, last_link, link_in, text_of

EMAIL = "ada@example.com"
OTHER_PASSWORD = "nine grey otters swim"
BASE_URL = "http://portal.example.com:5000"
STRANGE_NAME = "Sklo & <b>s. r. o.</b>"
LINKS: OrganisationChanges = {
    "privacy_url": "https://sklo.example/privacy?a=1&b=2",
    "terms_url": "https://sklo.example/terms",
    "support_email": "help+portal@sklo.example.com",
}


@dataclass(frozen=True)
class Shop:
    """One organisation of a site."""

    site: Site
    slug: str
    id: int
    name: str
    url: str
    sender: str

    def browser(self, address: str = "192.0.2.10") -> Browser:
        """Somebody at its host."""
        return Browser(self.site.app, address, self.url)

    def mails(self, email: str = EMAIL) -> list[EmailMessage]:
        """What it has sent to an address."""
        return [mail for mail in self.site.mails(email) if mail["From"].addresses[0].addr_spec == self.sender]

    def link(self, email: str = EMAIL) -> str:
        """The path of the link in the last of them."""
        link = last_link(self.mails(email))
        assert link.startswith(self.url + "/")
        return link.removeprefix(self.url)

    def customer(self, email: str = EMAIL, password: str = PASSWORD) -> Browser:
        """Somebody who registered here and confirmed; their browser, signed in."""
        browser = self.browser()
        assert browser.register(email, password).status == 302
        assert browser.fill(self.link(email)).status == 302
        return browser


@pytest.fixture
def many(start: Start) -> Site:
    """A portal for several organisations."""
    site = start(BASE_URL=BASE_URL)
    for slug, given in (
        ("kamen", OrganisationChanges(name="Kámen", hostname="login.kamen.example", sender="mail@kamen.example.com")),
        (
            "sklo",
            OrganisationChanges(
                name=STRANGE_NAME, hostname="login.sklo.example", sender="mail@sklo.example.com", **LINKS
            ),
        ),
    ):
        add_organisation(site.context, slug, given, _portal(site))
    change_organisation(site.context, "default", {"sender": "mail@portal.example.com"}, _portal(site))
    return site


def _portal(site: Site) -> Portal:
    return Portal(languages=("en", "cs"), hostname=site.settings.hostname)


def _shop(site: Site, slug: str) -> Shop:
    (row,) = (row for row in site.rows()["organisation"] if row["slug"] == slug)
    url = f"http://{row['hostname']}:5000" if row["hostname"] else BASE_URL
    return Shop(site, slug, row["id"], row["name"], url, row["sender"])


@pytest.fixture
def kamen(many: Site) -> Shop:
    return _shop(many, "kamen")


@pytest.fixture
def sklo(many: Site) -> Shop:
    return _shop(many, "sklo")


@pytest.fixture
def default(many: Site) -> Shop:
    return _shop(many, "default")


# Which one.


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("login.kamen.example:5000", "Kámen"),
        ("LOGIN.Kamen.Example", "Kámen"),
        ("login.sklo.example", STRANGE_NAME),
        ("portal.example.com:5000", "Customer portal"),
        ("127.0.0.1:5000", "Customer portal"),
        ("[::1]:5000", "Customer portal"),
        ("login.kamen.example.", "Customer portal"),
        ("login.kamen.example.evil.example", "Customer portal"),
        ("evil.example", "Customer portal"),
    ],
)
def test_the_host_says_whose_pages_are_shown(many: Site, host: str, name: str) -> None:
    page = many.browser().send("/login", headers={"Host": host})
    assert page.title == f"Sign in · {name}"
    assert page.tree.one("header").text == name
    assert_headers(page)


@pytest.mark.parametrize("path", ["/", "/login", "/register", "/no/such/page", "/account"])
def test_a_host_that_nobody_has_is_never_repeated(many: Site, path: str) -> None:
    page = many.browser().send(path, headers={"Host": "evil.example"})
    assert "evil.example" not in page.text
    assert "evil.example" not in str(page.headers)


def test_a_page_of_an_error_is_the_organisations_too(kamen: Shop) -> None:
    page = kamen.browser().open("/no/such/page")
    assert_error_page(page, 404)
    assert "Kámen" in page.title


def test_a_forwarded_host_counts_only_from_a_trusted_proxy(many: Site, start: Start) -> None:
    headers = {"X-Forwarded-Host": "login.kamen.example"}
    assert "Customer portal" in many.browser().send("/login", headers=headers).title
    behind_proxy = start(BASE_URL=BASE_URL, TRUSTED_PROXIES="1")
    assert "Kámen" in behind_proxy.browser().send("/login", headers=headers).title
    twice = {"X-Forwarded-Host": "login.kamen.example, login.sklo.example"}
    assert STRANGE_NAME in behind_proxy.browser().send("/login", headers=twice).title


# What it says of itself.


def test_a_name_is_text_wherever_it_stands(sklo: Shop) -> None:
    browser = sklo.browser()
    for path in ("/login", "/register", "/password/reset", "/no/such/page"):
        page = browser.open(path)
        assert "<b>" not in page.text
        assert STRANGE_NAME in page.tree.one("header").text
    mail = _registered(sklo)
    assert mail["From"].addresses[0].display_name == STRANGE_NAME
    assert STRANGE_NAME in mail["Subject"]
    assert STRANGE_NAME in text_of(mail)
    assert "<b>" not in html_of(mail)


def test_its_links_stand_in_the_footer_and_open_elsewhere(sklo: Shop) -> None:
    page = sklo.browser().open("/login")
    links = {link.text: link for link in page.tree.one("footer").all("a")}
    assert {words: link.get("href") for words, link in links.items()} == {
        "Help: help+portal@sklo.example.com": "mailto:help%2Bportal@sklo.example.com",
        "Privacy (opens in a new tab)": "https://sklo.example/privacy?a=1&b=2",
        "Terms (opens in a new tab)": "https://sklo.example/terms",
    }
    for words in ("Privacy (opens in a new tab)", "Terms (opens in a new tab)"):
        assert (links[words].get("rel"), links[words].get("target")) == ("noopener", "_blank")


def test_who_registers_is_told_of_terms_and_privacy_beside_the_button(sklo: Shop) -> None:
    main = sklo.browser().open("/register").tree.one("main")
    assert f"By creating an account you agree to the terms of {STRANGE_NAME} (opens in a new tab)." in main.text
    assert "The privacy notice (opens in a new tab) explains how your data is used." in main.text
    assert {link.get("href") for link in main.one("form").all("a")} == {LINKS["terms_url"], LINKS["privacy_url"]}


def test_each_of_the_links_may_stand_alone(many: Site) -> None:
    change_organisation(many.context, "kamen", {"privacy_url": "https://kamen.example/p"}, _portal(many))
    page = _shop(many, "kamen").browser().open("/register")
    assert "By creating an account" not in page.words
    assert "privacy notice" in page.words
    assert [link.get("href") for link in page.tree.one("footer").all("a")] == ["https://kamen.example/p"]


def test_an_organisation_without_links_shows_none(kamen: Shop) -> None:
    page = kamen.browser().open("/register")
    assert page.tree.one("footer").all("a") == []
    assert page.tree.one("main").one("form").all("a") == []
    mail = _registered(kamen)
    assert "Privacy" not in text_of(mail) + html_of(mail)


def test_its_links_stand_in_its_mails(sklo: Shop) -> None:
    mail = _registered(sklo)
    lines = " ".join(text_of(mail).split())
    assert lines.endswith(
        "Help: help+portal@sklo.example.com Privacy: https://sklo.example/privacy?a=1&b=2"
        " Terms: https://sklo.example/terms"
    )
    for href in ("mailto:help%2Bportal@", "https://sklo.example/privacy?a=1&amp;b=2", "https://sklo.example/terms"):
        assert f'href="{href}' in html_of(mail)


def test_mails_come_from_its_sender_and_lead_to_its_host(kamen: Shop) -> None:
    browser = kamen.customer()
    browser.sign_out()
    browser.ask_for_reset(EMAIL)
    browser.fill(kamen.link(), {"password": OTHER_PASSWORD})
    browser.sign_out()
    browser.fill("/login/link", {"email": EMAIL})
    assert len(kamen.mails()) == 4
    for mail in kamen.site.mails(EMAIL):
        assert str(mail["From"]) == "Kámen <mail@kamen.example.com>"
        for part in (text_of(mail), html_of(mail)):
            assert "http://login.kamen.example:5000/" in part
            assert "portal.example.com" not in part
    envelopes = {mail.envelope.sender for mail in kamen.site.mails(EMAIL)}  # type: ignore[attr-defined] # the sink's
    assert envelopes == {"mail@kamen.example.com"}


def test_links_follow_the_stored_host_and_not_the_one_that_was_named(kamen: Shop) -> None:
    browser = kamen.browser()
    form = browser.open("/register").form()
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    spoofed = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Host": "login.kamen.example:8080"}
    assert browser.post(form, typed, headers=spoofed).status == 302
    assert link_in(kamen.mails()[-1]).startswith("http://login.kamen.example:5000/register/verify/")


# Its colour.


def _sheet(page: Page) -> str | None:
    """The address of the second stylesheet of a page."""
    sheets = [link.get("href") for link in page.tree.all("link") if link.get("rel") == "stylesheet"]
    return sheets[1] if len(sheets) > 1 else None


def test_an_accent_is_a_stylesheet_that_browsers_keep_until_it_changes(many: Site) -> None:
    change_organisation(many.context, "sklo", {"accent": "#ffcc00"}, _portal(many))
    browser = _shop(many, "sklo").browser()
    page = browser.open("/login")
    assert_headers(page)
    path = _sheet(page) or ""
    assert path.startswith("/organisation.css?v=")
    sheet = browser.send(path)
    assert sheet.headers["Content-Type"] == "text/css; charset=utf-8"
    assert sheet.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Vary" not in sheet.headers
    assert "Set-Cookie" not in sheet.headers
    assert_headers(sheet, private=False)
    assert sheet.text == (
        ":root { --accent: #846a00; --accent-ink: #ffffff; }\n"
        "@media (prefers-color-scheme: dark) { :root { --accent: #ffcc00; --accent-ink: #121416; } }\n"
    )


@pytest.mark.parametrize("version", ["", "?v=", "?v=000000000000", "?v=1&v=2"])
def test_a_stylesheet_under_another_version_is_not_kept(many: Site, version: str) -> None:
    change_organisation(many.context, "sklo", {"accent": "#ffcc00"}, _portal(many))
    sheet = _shop(many, "sklo").browser().send(f"/organisation.css{version}")
    assert sheet.status == 200
    assert_headers(sheet)


JPEG = b"\xff\xd8\xff\xe0"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("picture", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "image/png"), (SVG, "image/svg+xml; charset=utf-8")],
    ids=["png", "svg"],
)
def test_a_logo_is_shown_as_an_image_and_runs_nothing(many: Site, picture: bytes, kind: str) -> None:
    change_organisation(many.context, "sklo", {"logo": picture}, _portal(many))
    browser = _shop(many, "sklo").browser()
    image = browser.open("/login").tree.one("header").one("img")
    assert (image.get("src"), image.get("alt")) == ("/organisation/logo", "")
    shown = browser.send(image.get("src"))
    assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, picture, kind)
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy
    assert policy.endswith("; sandbox")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    assert "Vary" not in shown.headers
    known = {"If-None-Match": shown.headers["ETag"]}
    again = browser.send("/organisation/logo", headers=known)
    assert (again.status, again.body) == (304, b"")
    change_organisation(many.context, "sklo", {"logo": picture + b"\n"}, _portal(many))
    assert browser.send("/organisation/logo", headers=known).status == 200


def test_a_logo_is_its_organisations_only(many: Site, kamen: Shop, default: Shop) -> None:
    change_organisation(many.context, "sklo", {"logo": SVG}, _portal(many))
    for shop in (kamen, default):
        browser = shop.browser()
        assert browser.open("/login").tree.one("header").all("img") == []
        assert_error_page(browser.open("/organisation/logo"), 404)


def test_a_cover_stands_beside_the_forms_of_its_organisation_only(many: Site, kamen: Shop) -> None:
    change_organisation(many.context, "sklo", {"cover": JPEG}, _portal(many))
    browser = _shop(many, "sklo").browser()
    for path in ("/login", "/register", "/password/reset"):
        (image,) = (one for one in browser.open(path).tree.all("img") if one.get("src") == "/organisation/cover")
        assert image.get("alt") == ""
        assert image.get("loading") == "lazy"  # where it is not shown, it is not loaded
    shown = browser.send("/organisation/cover")
    assert (shown.status, shown.body, shown.headers["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert shown.headers["Content-Security-Policy"].endswith("; sandbox")
    assert shown.headers["Cache-Control"] == "public, max-age=300"
    known = {"If-None-Match": shown.headers["ETag"]}
    assert browser.send("/organisation/cover", headers=known).status == 304
    assert "/organisation/cover" not in kamen.browser().open("/login").text
    assert_error_page(kamen.browser().open("/organisation/cover"), 404)
    change_organisation(many.context, "sklo", {"cover": b""}, _portal(many))
    assert_error_page(browser.open("/organisation/cover"), 404)


def test_without_an_accent_there_is_no_stylesheet(kamen: Shop) -> None:
    browser = kamen.browser()
    assert _sheet(browser.open("/login")) is None
    assert_error_page(browser.open("/organisation.css"), 404)


# Nothing crosses.


def _registered(shop: Shop) -> EmailMessage:
    shop.browser().register("grace@example.com", PASSWORD)
    return shop.mails("grace@example.com")[-1]


def _contacts(site: Site) -> list[tuple[int, str]]:
    return sorted((row["organisation_id"], row["email"]) for row in site.rows()["contact"])


def test_one_address_has_an_account_with_a_password_of_its_own_in_each(many: Site, kamen: Shop, sklo: Shop) -> None:
    kamen.customer(password=PASSWORD)
    sklo.customer(password=OTHER_PASSWORD)
    assert _contacts(many) == [(kamen.id, EMAIL), (sklo.id, EMAIL)]
    for shop, right, wrong in ((kamen, PASSWORD, OTHER_PASSWORD), (sklo, OTHER_PASSWORD, PASSWORD)):
        assert shop.browser().sign_in(EMAIL, wrong).status == 422
        browser = shop.browser()
        assert browser.sign_in(EMAIL, right).status == 302
        assert browser.is_signed_in


def test_a_customer_of_one_is_a_stranger_to_the_other(kamen: Shop, sklo: Shop, default: Shop) -> None:
    kamen.customer()
    for shop in (sklo, default):
        assert shop.browser().sign_in(EMAIL, PASSWORD).status == 422
        shop.browser().ask_for_reset(EMAIL)
        shop.browser().fill("/login/link", {"email": EMAIL})
        assert shop.mails() == []


def test_an_account_in_one_does_not_keep_anybody_from_registering_in_the_other(kamen: Shop, sklo: Shop) -> None:
    kamen.customer()
    sklo.customer()
    assert [mail["Subject"] for mail in sklo.mails()] == [f"Confirm your email address for {STRANGE_NAME}"]


def _verify(shop: Shop) -> None:
    shop.browser().register(EMAIL, PASSWORD)


def _reset(shop: Shop) -> None:
    shop.customer().ask_for_reset(EMAIL)


def _sign_in(shop: Shop) -> None:
    shop.customer().sign_out()
    shop.browser().fill("/login/link", {"email": EMAIL})


@pytest.mark.parametrize("ask", [_verify, _reset, _sign_in], ids=lambda ask: ask.__name__)
def test_a_link_of_one_is_unknown_to_the_other_and_goes_on_working(
    many: Site, kamen: Shop, sklo: Shop, default: Shop, ask: Any
) -> None:
    sklo.customer()  # the same address
    ask(kamen)
    link = kamen.link()
    typed = {"password": PASSWORD if ask is _verify else OTHER_PASSWORD}
    unknown = sklo.browser().send(link[:-10] + "A" * 10)
    before = many.rows()
    for shop in (sklo, default):
        browser = shop.browser()
        page = browser.send(link)
        assert_error_page(page, 404)
        assert page.words == unknown.words
        # Sent with everything a form would hold.
        token = browser.open("/login").form().token
        page = browser.send(link, "POST", data={"csrf_token": token, "remember": "y", **typed})
        assert_error_page(page, 404)
        assert not browser.is_signed_in
    assert many.rows() == before
    assert kamen.browser().fill(link, typed).status == 302


def _code_in(mail: EmailMessage) -> str:
    (code,) = (line for line in text_of(mail).splitlines() if line.isdigit())
    return code


@pytest.mark.parametrize(("path", "ask"), [("/register/code", _verify), ("/login/code", _sign_in)])
def test_a_code_of_one_opens_nothing_in_the_other_even_with_the_cookie(
    kamen: Shop, sklo: Shop, path: str, ask: Any
) -> None:
    browser = kamen.browser()
    if ask is _verify:
        browser.register(EMAIL, PASSWORD)
    else:
        kamen.customer()
        browser.fill("/login/link", {"email": EMAIL})
    code = _code_in(kamen.mails()[-1])
    elsewhere = sklo.browser()
    elsewhere.set_cookie(browser.cookie() or "")
    page = elsewhere.post(elsewhere.open(path).form(path), {"code": code})
    assert page.status == 422
    assert not elsewhere.is_signed_in
    assert sklo.mails() == []
    page = browser.post(browser.open(path).form(path), {"code": code})
    assert page.status == 302, "the code is spent by what happened elsewhere"


def test_a_registration_of_one_cannot_be_mailed_again_by_the_other(kamen: Shop, sklo: Shop) -> None:
    browser, elsewhere = kamen.browser(), sklo.browser()
    browser.register(EMAIL, PASSWORD)
    mails = len(kamen.mails())
    elsewhere.set_cookie(browser.cookie() or "")
    page = elsewhere.open("/register/code")
    assert elsewhere.post(page.form("/register/resend")).location == "/register"
    assert (len(kamen.mails()), sklo.mails()) == (mails, [])


def test_an_identity_of_one_is_nothing_in_the_other_and_cannot_be_ended_there(
    kamen: Shop, sklo: Shop, default: Shop
) -> None:
    browser = kamen.customer()
    for shop in (sklo, default):
        shop.customer()  # the same address
        elsewhere = shop.browser()
        elsewhere.set_cookie(browser.cookie() or "")
        assert not elsewhere.is_signed_in
        assert EMAIL not in elsewhere.open("/login").text
        token = elsewhere.open("/login").form().token
        elsewhere.send("/logout", "POST", data={"csrf_token": token})
    assert browser.is_signed_in


def test_cookies_belong_to_one_host(kamen: Shop) -> None:
    cookie = kamen.browser().send("/login").headers["Set-Cookie"]
    assert "Domain" not in cookie
    assert "Path=/" in cookie


def test_a_change_of_password_in_one_ends_nothing_in_the_other(kamen: Shop, sklo: Shop) -> None:
    here, there = kamen.customer(), sklo.customer()
    there.ask_for_reset(EMAIL)
    link = sklo.link()
    changed = here.fill("/account/password", {"current_password": PASSWORD, "password": OTHER_PASSWORD})
    assert changed.status == 302
    kamen.browser().ask_for_reset(EMAIL)
    kamen.browser().fill(kamen.link(), {"password": "four blue kites climb"})
    assert there.is_signed_in
    assert sklo.browser().sign_in(EMAIL, PASSWORD).status == 302
    assert sklo.browser().open(link).status == 200
    # What was a password there may be one here.
    assert sklo.browser().fill(link, {"password": OTHER_PASSWORD}).status == 302


def test_a_ban_in_one_is_none_in_the_other(many: Site, kamen: Shop, sklo: Shop) -> None:
    here, there = kamen.customer(), sklo.customer()
    ban.ban(many.context, kamen.id, parse_email(EMAIL), "spam")
    assert not here.is_signed_in
    assert there.is_signed_in
    assert sklo.browser().sign_in(EMAIL, PASSWORD).status == 302


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/login", {"email": EMAIL, "password": "not the right one"}),
        ("/login/link", {"email": EMAIL}),
        ("/password/reset", {"email": EMAIL}),
        ("/register", {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}),
    ],
)
def test_what_is_too_much_in_one_counts_for_nothing_in_the_other(
    start: Start, many: Site, path: str, fields: dict[str, str]
) -> None:
    limits = {
        "LOGIN_LIMIT_ACCOUNT": "2 per hour",
        "MAIL_LIMIT_ADDRESS": "2 per hour",
        "LOGIN_LIMIT_NETWORK": "9 per hour",
    }
    site = start(BASE_URL=BASE_URL, REGISTER_LIMIT_NETWORK="2 per hour", MAIL_LIMIT_NETWORK="2 per hour", **limits)
    kamen, sklo = _shop(site, "kamen"), _shop(site, "sklo")

    def send(shop: Shop) -> Page:
        return shop.browser().fill(path, fields)

    for _ in range(2):
        assert send(kamen).status != 429
    assert send(kamen).status == 429
    assert send(sklo).status != 429


def test_guessed_links_in_one_count_for_nothing_in_the_other(start: Start, many: Site) -> None:
    site = start(BASE_URL=BASE_URL, LOGIN_LIMIT_NETWORK="2 per hour")
    kamen, sklo = _shop(site, "kamen"), _shop(site, "sklo")
    guess = "/password/reset/" + "A" * 60
    assert [kamen.browser().open(guess).status for _ in range(3)] == [404, 404, 429]
    assert sklo.browser().open(guess).status == 404


def test_each_event_and_each_mail_is_of_the_organisation_it_happened_in(many: Site, kamen: Shop, sklo: Shop) -> None:
    before = {table: len(many.rows()[table]) for table in ("event", "outbox")}
    kamen.customer().ask_for_reset(EMAIL)
    kamen.browser().sign_in(EMAIL, "not the right one")
    rows = many.rows()
    contacts = {row["id"]: row["organisation_id"] for row in rows["contact"]}
    assert set(contacts.values()) == {kamen.id}
    for table in before:
        assert len(rows[table]) > before[table]
        ours = [row for row in rows[table] if row.get("kind") not in ("organisation_add", "organisation_change")]
        assert {row["organisation_id"] for row in ours} == {kamen.id}
        assert {contacts[row["contact_id"]] for row in ours if row["contact_id"]} == {kamen.id}


@pytest.mark.parametrize(
    "origin", ["http://login.sklo.example:5000", BASE_URL, "http://login.kamen.example:81", "null"]
)
def test_a_form_sent_from_the_pages_of_another_is_refused(kamen: Shop, origin: str) -> None:
    browser = kamen.browser()
    form = browser.open("/password/reset").form()
    assert browser.post(form, {"email": EMAIL}, headers={"Origin": origin}).status == 400
    assert browser.post(form, {"email": EMAIL}, headers={"Origin": kamen.url}).status == 302


def test_a_form_of_one_cannot_be_sent_to_the_other(kamen: Shop, sklo: Shop) -> None:
    form = kamen.browser().open("/password/reset").form()
    elsewhere = sklo.browser()
    elsewhere.open("/password/reset")
    assert elsewhere.post(form, {"email": EMAIL}).status == 400
