"""Passkeys on the pages, with a software authenticator in place of the browser's; with a browser: tests/browser."""

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import update

from portal.domain.passkeys import MAX_PASSKEYS, NAME_LENGTH
from portal.domain.recent_authentication import RECENT
from portal.storage.models import Identity
from tests.passkeys import Authenticator
from tests.web.authenticator import set_up
from tests.web.browser import Browser, Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import EMAIL, NONCE, SHOP, allow, event, framed, redeemed, told

ORIGIN = "https://portal.example.com"
LIST, SIGN_IN, REAUTHENTICATE = "/account/passkeys", "/login/passkey", "/reauthenticate/passkey"
REFUSED = "We couldn't use this passkey."


@pytest.fixture
def site(start: Start) -> Site:
    """Return a portal at an address where passkeys can be used."""
    return start(BASE_URL=ORIGIN)


@pytest.fixture
def keys() -> Authenticator:
    return Authenticator(ORIGIN)


@pytest.fixture
def keyed(site: Site, keys: Authenticator) -> Browser:
    """Return the signed-in browser of a customer with a passkey."""
    browser = site.customer(EMAIL)
    assert add(browser, keys).location == LIST
    return browser


def ask(browser: Browser, path: str, page: Page) -> dict[str, Any]:
    """Ask for options as the page's script does: those for the browser, and the challenge for the form."""
    headers = {"X-Portal-Framed": "1"} if "data-parents" in page.tree.one("html").attributes else {}
    answer: dict[str, Any] = browser.send(
        f"{path}/options", "POST", data={"csrf_token": page.forms[0].token}, headers=headers
    ).json
    return answer


def add(browser: Browser, keys: Authenticator) -> Page:
    page = browser.open(LIST)
    asked = ask(browser, LIST, page)
    form = page.form(LIST)
    return browser.post(form, {"credential": keys.create(asked["options"]), "challenge": asked["challenge"]})


def sign_in(browser: Browser, keys: Authenticator, path: str = "/login", **fields: str | None) -> Page:
    """Sign in from the sign-in page; `fields` are what else its form has, or replaces of it."""
    page = browser.open(path)
    asked = ask(browser, SIGN_IN, page)
    sent = {**page.form("/login").fields, "credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    data = {name: value for name, value in {**sent, **fields}.items() if value is not None}
    return browser.send(SIGN_IN, "POST", data=data)


def let_ten_minutes_pass(site: Site) -> None:
    past = site.context.clock() - RECENT
    with site.context.database.write() as connection:
        connection.execute(update(Identity).values(proved_at=past, second_step_at=past))


def box(page: Page) -> dict[str, str]:
    """Return the attributes of the part that the script shows."""
    (found,) = (element for element in page.tree.one("main").all("div") if "data-passkey" in element.attributes)
    return found.attributes


class TestSignIn:
    def test_the_page_offers_it_to_the_script_only(self, site: Site) -> None:
        page = site.browser().open("/login")
        assert page.form("/login").fields["credential"] == ""
        assert box(page).keys() >= {"hidden", "data-autofill", "data-cancelled", "data-failed"}
        assert box(page)["data-party"] == "portal.example.com"
        assert page.tree.one("input", id="email").get("autocomplete") == "username webauthn"
        assert len([script for script in page.tree.all("script") if "passkeys.js" in script.get("src")]) == 1

    def test_asking_stores_nothing_and_sets_no_cookie(self, site: Site) -> None:
        browser = site.browser()
        page, before = browser.open("/login"), site.rows()
        with site.statements() as statements:
            answer = browser.send(f"{SIGN_IN}/options", "POST", data={"csrf_token": page.forms[0].token})
        assert answer.json["options"]["rpId"] == "portal.example.com"
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert "Set-Cookie" not in answer.headers
        assert (statements, site.rows()) == ([], before)

    @pytest.mark.usefixtures("keyed")
    def test_it_leads_where_every_sign_in_leads(self, site: Site, keys: Authenticator) -> None:
        browser = site.browser()
        assert sign_in(browser, keys).location == "/account"
        assert browser.is_signed_in
        assert sign_in(site.browser(), keys, "/login?next=/account/profile").location == "/account/profile"
        assert sign_in(site.browser(), keys, next="//evil.example").location == "/account"

    @pytest.mark.usefixtures("keyed")
    def test_the_box_keeps_the_customer_signed_in(self, site: Site, keys: Authenticator) -> None:
        assert "Expires" not in sign_in(site.browser(), keys).cookies["__Host-portal"]
        assert "Expires" in sign_in(site.browser(), keys, remember="y").cookies["__Host-portal"]

    def test_the_second_step_is_asked_unless_the_device_has_checked_its_user(
        self, site: Site, keyed: Browser, keys: Authenticator
    ) -> None:
        set_up(site, keyed)
        assert sign_in(site.browser(), keys).location == "/account"
        keys.verifies_user = False
        assert sign_in(site.browser(), keys).location == "/login/two-step"

    @pytest.mark.usefixtures("keyed")
    def test_a_return_address_gets_its_code(self, site: Site, keys: Authenticator) -> None:
        allow(site)
        visit = urlencode({"return_url": f"{SHOP}/welcome", "state": "s1", "nonce": NONCE})
        answer = sign_in(site.browser(), keys, f"/login?{visit}")
        assert answer.location.startswith(f"{SHOP}/welcome?")
        code = parse_qs(urlsplit(answer.location).query)["code"][0]
        assert redeemed(site, code) == EMAIL

    @pytest.mark.usefixtures("keyed")
    def test_a_frame_is_signed_in(self, site: Site, keys: Authenticator) -> None:
        browser = framed(allow(site))
        keys.top_origin = SHOP
        answer = sign_in(browser, keys, f"/login?nonce={NONCE}")
        assert answer.location == "/account"
        page = browser.follow(answer)
        assert event(page) is None
        assert redeemed(site, told(browser, page)["code"]) == EMAIL

    @pytest.mark.usefixtures("keyed")
    @pytest.mark.parametrize("top_origin", [SHOP, "https://thief.example.com"])
    def test_a_frame_on_an_unlisted_site_is_not(self, site: Site, keys: Authenticator, top_origin: str) -> None:
        allow(site, frame=() if top_origin == SHOP else (SHOP,))
        keys.top_origin = top_origin
        assert sign_in(site.browser(), keys).status == 422

    @pytest.mark.parametrize("credential", [None, "", "{}", "[]", '{"id": 1}', "\u2028", "[" * 3000])
    def test_what_cannot_be_read_is_refused_at_the_button(self, site: Site, credential: str | None) -> None:
        browser = site.browser()
        page = browser.open("/login?next=/account/profile")
        fields = {**page.form("/login").fields, "email": EMAIL, "password": PASSWORD, "remember": "y"}
        data = {name: value for name, value in {**fields, "credential": credential}.items() if value is not None}
        answer = browser.send(SIGN_IN, "POST", data=data)
        assert (answer.status, answer.problems[0][0]) == (422, "")
        assert answer.problems[0][1].startswith(REFUSED)
        assert answer.title.startswith("Error: ")
        assert answer.text.index("data-passkey") < answer.text.index('role="alert"')
        form = answer.form("/login")
        assert (form.fields["email"], form.fields["remember"], form.fields["next"]) == (EMAIL, "y", "/account/profile")
        assert (form.fields["password"], form.fields["credential"]) == ("", "")
        assert "data-unknown" not in box(answer)

    def test_an_unknown_passkey_is_one_that_the_browser_can_forget(
        self, site: Site, keyed: Browser, keys: Authenticator
    ) -> None:
        (passkey,) = (link.get("href") for link in keyed.open(LIST).tree.all("a") if "remove" in link.get("href"))
        assert keyed.fill(passkey, submit_to=passkey).location == LIST
        answer = sign_in(site.browser(), keys)
        assert (answer.status, answer.problems[0][1][: len(REFUSED)]) == (422, REFUSED)
        assert box(answer)["data-unknown"] == json.loads(keys.describe(keys.credentials[0], ""))["id"]

    def test_an_id_that_cannot_be_encoded_is_not_shown(self, site: Site, keyed: Browser, keys: Authenticator) -> None:
        stranger = site.browser()
        asked = ask(stranger, SIGN_IN, stranger.open("/login"))
        sent = json.loads(keys.get(asked["options"]))
        credential = json.dumps({**sent, "id": "\ud800", "rawId": "AAAA"})
        for answer in (
            sign_in(stranger, keys, credential=credential, challenge=asked["challenge"]),
            keyed.post(keyed.open(LIST).form(LIST), {"credential": credential}),
        ):
            assert answer.status == 422
            assert "data-unknown" not in box(answer)

    @pytest.mark.usefixtures("keyed")
    def test_a_challenge_is_worth_nothing_in_another_session_nor_twice(self, site: Site, keys: Authenticator) -> None:
        browser = site.browser()
        asked = ask(browser, SIGN_IN, browser.open("/login"))
        sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
        other = sign_in(site.browser(), keys, **sent)
        assert (other.status, other.problems[0][1][:24]) == (422, "That took too long, or w")
        assert sign_in(browser, keys, **sent).status == 302
        browser.sign_out()
        assert sign_in(browser, keys, **sent).status == 422

    def test_too_many_attempts_get_429(self, start: Start) -> None:
        site = start(BASE_URL=ORIGIN, LOGIN_LIMIT_NETWORK="1 per hour")
        stranger = Authenticator(ORIGIN)
        add(site.customer(EMAIL), stranger)
        stranger.credentials[0].user_handle = b"another"
        assert [sign_in(site.browser(), stranger).status for _ in range(2)] == [422, 429]
        answer = sign_in(site.browser(), stranger)
        assert 0 < int(answer.headers["Retry-After"]) <= 3600
        assert answer.problems[0][1].startswith("Too many attempts.")

    def test_a_form_token_is_needed(self, site: Site, keyed: Browser, keys: Authenticator) -> None:
        browser = site.browser()
        stale = sign_in(browser, keys, csrf_token=None)
        assert (stale.status, stale.problems[0][0]) == (400, "")
        assert not browser.is_signed_in
        for path in (SIGN_IN, LIST, REAUTHENTICATE):
            assert keyed.send(f"{path}/options", "POST", data={}).status == 400

    def test_opened_by_hand_it_leads_to_the_sign_in_page(self, site: Site) -> None:
        browser = site.browser()
        assert browser.send(f"{SIGN_IN}?next=/account/profile").location == "/login?next=/account/profile"
        assert browser.send(SIGN_IN).status == 302

    def test_a_field_sent_twice_is_refused(self, site: Site) -> None:
        browser = site.browser()
        form = browser.open("/login").form("/login")
        answer = browser.send(SIGN_IN, "POST", data={**form.fields, "credential": ["{}", "{}"]})
        assert (answer.status, answer.problems[0][1][:35]) == (422, "A field was sent more than once. Pl")

    def test_an_answer_gets_into_no_address(self, site: Site) -> None:
        browser = site.browser()
        form = browser.open("/login").form("/login")
        sent = {**form.fields, "credential": "very-secret", "challenge": "very-secret"}
        answer = browser.send(SIGN_IN, "POST", data=sent)
        assert (answer.status, "very-secret" in answer.text) == (422, False)


class TestWithoutParty:
    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("http://127.0.0.1:5000", "this website's address is a number and not a name"),
            ("http://portal.example.com", "the connection to this website isn't encrypted"),
        ],
    )
    def test_passkeys_are_hidden_with_the_reason(self, start: Start, url: str, reason: str) -> None:
        site = start(BASE_URL=url)
        page = site.browser().open("/login")
        assert "passkey" not in page.text
        assert page.tree.one("input", id="email").get("autocomplete") == "username"
        browser = site.customer(EMAIL)
        for path in ("/account/security", LIST):
            shown = browser.open(path)
            assert reason in shown.words
            assert "Add a passkey" not in shown.words
        assert "Add a passkey" not in browser.open("/account").words
        stranger = site.browser()
        fields = {"csrf_token": stranger.open("/login").forms[0].token, "credential": "{}"}
        refused = stranger.send(SIGN_IN, "POST", data=fields)
        assert (refused.status, reason in refused.problems[0][1]) == (422, True)
        assert stranger.send(f"{SIGN_IN}/options", "POST", data=fields).status == 422


class TestList:
    def test_it_says_what_is_known_of_each(self, site: Site, keyed: Browser, keys: Authenticator) -> None:
        page = keyed.open(LIST)
        assert page.notices == ["Your passkey is added. From now on you can sign in with it."]
        assert "Synced to your devices" in page.words
        assert "Not used yet" in page.words
        add(keyed, Authenticator(ORIGIN, can_sync=False))
        assert "On one device only" in keyed.open(LIST).words
        sign_in(site.browser(), keys)
        assert keyed.open(LIST).words.count("Last used: ") == 1
        assert "You have 2 passkeys." in keyed.open("/account/security").words

    def test_the_page_tells_the_browser_what_is_accepted(self, keyed: Browser, keys: Authenticator) -> None:
        add(keyed, Authenticator(ORIGIN))
        said = json.loads(box(keyed.open(LIST))["data-accepted"])
        assert (said["name"], said["displayName"]) == (EMAIL, "Ada Quill")
        assert len(said["allAcceptedCredentialIds"]) == 2
        assert json.loads(keys.describe(keys.credentials[0], ""))["id"] in said["allAcceptedCredentialIds"]

    def test_a_customer_without_one_is_told_what_it_is(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        page = browser.open(LIST)
        assert (
            "With a passkey, you sign in with your fingerprint, face or screen lock instead of a password" in page.words
        )
        assert "you need JavaScript and a browser that can use passkeys" in page.words
        assert "data-accepted" not in box(page)
        assert "Add a passkey" in browser.open("/account").words

    def test_it_is_the_customers_own(self, site: Site, keyed: Browser) -> None:
        assert site.browser().send(LIST).location == f"/login?next={LIST}"
        eve = site.customer("eve@example.com")
        assert "You have no passkeys yet" in eve.open(LIST).words
        links = [link.get("href") for link in keyed.open(LIST).tree.all("a") if link.get("href").startswith(f"{LIST}/")]
        assert len(links) == 2
        token = eve.open(LIST).forms[0].token
        for path in (*links, f"{LIST}/999/rename", f"{LIST}/999/remove"):
            assert eve.send(path).status == 404
            assert eve.send(path, "POST", data={"csrf_token": token, "name": "x"}).status == 404

    def test_no_more_than_twenty_can_be_added(self, keyed: Browser) -> None:
        for _ in range(MAX_PASSKEYS - 1):
            add(keyed, Authenticator(ORIGIN))
        page = keyed.open(LIST)
        assert "as many passkeys as an account can have" in page.words
        assert "Add a passkey" not in page.words
        data = {"csrf_token": page.forms[0].token}
        assert keyed.send(f"{LIST}/options", "POST", data=data).status == 422


class TestAdd:
    def test_it_needs_recent_authentication(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        let_ten_minutes_pass(site)
        page = browser.open(LIST)
        data = {"csrf_token": page.forms[0].token}
        assert browser.send(f"{LIST}/options", "POST", data=data).location.startswith("/reauthenticate?next=")
        answer = browser.post(page.form(LIST))
        assert answer.location == f"/reauthenticate?next={LIST}"
        assert browser.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate").location == LIST
        assert add(browser, Authenticator(ORIGIN)).location == LIST

    def test_what_is_not_right_is_refused(self, site: Site) -> None:
        browser = site.customer(EMAIL)
        keys = Authenticator("https://evil.example.com")
        answer = add(browser, keys)
        assert (answer.status, answer.problems[0][1][:29]) == (422, "We couldn't add this passkey.")
        assert box(answer)["data-unknown"] == json.loads(keys.describe(keys.credentials[0], ""))["id"]
        assert browser.post(answer.form(LIST)).status == 422

    def test_another_customers_challenge_adds_nothing(self, site: Site, keys: Authenticator) -> None:
        ada, eve = site.customer(EMAIL), site.customer("eve@example.com")
        asked = ask(ada, LIST, ada.open(LIST))
        sent = {"credential": keys.create(asked["options"]), "challenge": asked["challenge"]}
        assert eve.post(eve.open(LIST).form(LIST), sent).status == 422
        assert site.rows()["passkey"] == []


class TestRename:
    def test_a_name_is_changed(self, keyed: Browser) -> None:
        (path,) = (link.get("href") for link in keyed.open(LIST).tree.all("a") if "rename" in link.get("href"))
        answer = keyed.fill(path, {"name": "  Ada's <phone> "}, submit_to=path)
        assert answer.location == LIST
        assert "Ada's <phone>" in keyed.open(LIST).words
        page = keyed.open(path)
        assert page.form(path).fields["name"] == "Ada's <phone>"
        assert page.tree.one("label").text == "Name of the passkey"  # "Name" alone is a person's in some languages

    @pytest.mark.parametrize("name", ["", "   ", "x" * (NAME_LENGTH + 1), "a\x00b"])
    def test_a_name_that_cannot_be_is_refused(self, keyed: Browser, name: str) -> None:
        (path,) = (link.get("href") for link in keyed.open(LIST).tree.all("a") if "rename" in link.get("href"))
        answer = keyed.fill(path, {"name": name}, submit_to=path)
        assert (answer.status, answer.problems[0][0]) == (422, "name")


class TestRemove:
    def test_it_needs_recent_authentication_and_a_button(self, site: Site, keyed: Browser, keys: Authenticator) -> None:
        let_ten_minutes_pass(site)
        (path,) = (link.get("href") for link in keyed.open(LIST).tree.all("a") if "remove" in link.get("href"))
        answer = keyed.send(path)
        assert answer.location == f"/reauthenticate?next={path}"
        page = keyed.follow(keyed.fill(answer.location, {"password": PASSWORD}, submit_to="/reauthenticate"))
        assert keyed.post(page.form(path)).location == LIST
        shown = keyed.open(LIST)
        assert box(shown)["data-unknown"] == json.loads(keys.describe(keys.credentials[0], ""))["id"]
        assert "You have no passkeys yet" in shown.words
        assert "data-unknown" not in box(keyed.open(LIST))
        assert sign_in(site.browser(), keys).status == 422


class TestReauthenticate:
    def test_a_passkey_is_a_proof(self, site: Site, keyed: Browser, keys: Authenticator) -> None:
        let_ten_minutes_pass(site)
        page = keyed.open("/reauthenticate?next=/account/email")
        asked = ask(keyed, REAUTHENTICATE, page)
        data = {**page.form("/reauthenticate/email").fields, "challenge": asked["challenge"]}
        wrong = keyed.send(REAUTHENTICATE, "POST", data={**data, "credential": "{}"})
        assert (wrong.status, wrong.problems[0][1][: len(REFUSED)]) == (422, REFUSED)
        assert wrong.form("/reauthenticate").fields["next"] == "/account/email"
        answer = keyed.send(REAUTHENTICATE, "POST", data={**data, "credential": keys.get(asked["options"])})
        assert answer.location == "/account/email"
        assert keyed.send("/account/two-step").status == 200

    def test_it_proves_the_second_step_if_the_device_has_checked_its_user(
        self, site: Site, keyed: Browser, keys: Authenticator
    ) -> None:
        set_up(site, keyed)
        for verifies, leads_to in ((False, "/reauthenticate/two-step?next=/account/email"), (True, "/account/email")):
            keys.verifies_user = verifies
            let_ten_minutes_pass(site)
            page = keyed.open("/reauthenticate?next=/account/email")
            asked = ask(keyed, REAUTHENTICATE, page)
            sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
            data = {**page.form("/reauthenticate/email").fields, **sent}
            assert keyed.send(REAUTHENTICATE, "POST", data=data).location == leads_to
        let_ten_minutes_pass(site)
        due = keyed.fill("/reauthenticate", {"password": PASSWORD}, submit_to="/reauthenticate")
        assert "Use a passkey" in keyed.follow(due).words

    def test_it_is_offered_to_customers_with_a_passkey(self, site: Site, keyed: Browser) -> None:
        assert "Use a passkey" in keyed.open("/reauthenticate").words
        assert "Use a passkey" not in site.customer("eve@example.com").open("/reauthenticate").words
        assert keyed.send(f"{REAUTHENTICATE}?next=/account/email").location == "/reauthenticate?next=/account/email"
