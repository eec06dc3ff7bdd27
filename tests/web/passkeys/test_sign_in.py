"""Sign-in with a passkey, with a software authenticator in place of the browser's; with a browser: tests/browser."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.passkeys import Authenticator
from tests.web.authenticator import set_up
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.framing import EMAIL, NONCE, SHOP, allow, event, framed, redeemed, told
from tests.web.passkeys.steps import (
    LIST,
    ORIGIN,
    REAUTHENTICATE,
    REFUSED,
    SIGN_IN,
    add,
    ask,
    box,
    sign_in,
)


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
