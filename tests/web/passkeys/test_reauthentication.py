"""Reauthenticate with a passkey."""

from tests.passkeys import Authenticator
from tests.web.authenticator import set_up
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.passkeys.steps import REAUTHENTICATE, REFUSED, ask, let_ten_minutes_pass


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
