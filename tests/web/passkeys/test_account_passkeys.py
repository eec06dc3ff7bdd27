"""The passkeys of an account: listed, added, renamed, removed."""

import json

import pytest

from portal.domain.passkeys import MAX_PASSKEYS, NAME_LENGTH
from tests.passkeys import Authenticator
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.framing import EMAIL
from tests.web.passkeys.steps import (
    LIST,
    ORIGIN,
    add,
    ask,
    box,
    let_ten_minutes_pass,
    sign_in,
)


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

    def test_a_customer_without_one_sees_what_a_passkey_is(self, site: Site) -> None:
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
