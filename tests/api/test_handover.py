"""A shop's server redeems handover codes of customers who signed in on the portal's pages."""

from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import time_machine
from sqlalchemy import insert, update

from portal.domain.api_keys import Scope
from portal.storage.models import Organisation
from tests.api.shop import Shop, new_shop
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"
RETURN = "https://shop.example.com/welcome"
NONCE = "made-up-by-the-page_22"
ANOTHER = "of-another-page-at-all"


@pytest.fixture
def customer(site: Site) -> Browser:
    """A customer who is signed in on the portal's pages."""
    with site.context.database.write() as connection:
        lists = {"return_origins": ["https://shop.example.com"], "handover_urls": [RETURN]}
        connection.execute(update(Organisation).values(lists))
    site.app.extensions["portal_directory"]._snapshot = None  # some seconds after the sign-in
    return site.customer(EMAIL, first_name="Ada", last_name="Quill")


def new_code(customer: Browser) -> str:
    """The code that a signed-in customer brings to the shop."""
    page = customer.send(f"/login?{urlencode({'return_url': RETURN, 'nonce': NONCE})}")
    return parse_qs(urlsplit(customer.post(page.form("/continue")).location).query)["code"][0]


def test_a_code_gives_an_identity_and_the_account(shop: Shop, customer: Browser) -> None:
    answer = shop.post("redeem-handover", code=new_code(customer), nonce=NONCE)
    assert (answer.status, answer.json.keys()) == (200, {"success", "identityId", "account"})
    assert answer.json["success"] is True
    assert answer.json["account"] == shop.account(answer.json["identityId"])
    assert (answer.json["account"]["loggedIn"], answer.json["account"]["email"]) == (True, EMAIL)


def test_signing_out_at_either_side_signs_out_at_both(shop: Shop, customer: Browser) -> None:
    identity = shop.post("redeem-handover", code=new_code(customer), nonce=NONCE).json["identityId"]
    assert shop.post("logout", identityId=identity).json == {"success": True}
    assert not customer.is_signed_in
    customer.sign_in(EMAIL, PASSWORD)
    identity = shop.post("redeem-handover", code=new_code(customer), nonce=NONCE).json["identityId"]
    customer.post(customer.open("/account").form("/logout"))
    assert shop.account(identity) == {"loggedIn": False}


@pytest.mark.parametrize("nonce", [ANOTHER, NONCE.upper(), NONCE[:-1], "short", "x" * 129, NONCE + "!"])
def test_a_wrong_nonce_is_refused_and_the_code_stays_valid(shop: Shop, customer: Browser, nonce: str) -> None:
    code = new_code(customer)
    answer = shop.post("redeem-handover", code=code, nonce=nonce)
    assert (answer.code, answer.json["message"]) == ("E003", "Handover code does not exist.")
    assert answer.json.keys() == {"success", "errorCode", "message"}
    assert shop.post("redeem-handover", code=code, nonce=NONCE).json["success"] is True


@pytest.mark.parametrize("sent", [{}, {"nonce": ""}, {"nonce": None}, {"nonce": " "}])
def test_without_a_nonce_nothing_is_redeemed(shop: Shop, customer: Browser, sent: dict[str, str | None]) -> None:
    code = new_code(customer)
    answer = shop.post("redeem-handover", code=code, **sent)
    assert (answer.status, answer.fields) == (422, {"nonce": ["This field is required."]})
    assert shop.post("redeem-handover", code=code, nonce=NONCE).json["success"] is True


def test_a_used_code_is_refused(shop: Shop, customer: Browser) -> None:
    code = new_code(customer)
    assert shop.post("redeem-handover", code=code, nonce=NONCE).json["success"] is True
    assert shop.post("redeem-handover", code=code, nonce=NONCE).code == "E003"


def test_a_code_lasts_a_minute(site: Site, shop: Shop, customer: Browser) -> None:
    code = new_code(customer)
    with time_machine.travel(site.context.clock() + timedelta(seconds=61)):
        answer = shop.post("redeem-handover", code=code, nonce=NONCE)
    assert (answer.code, answer.json["message"]) == ("E004", "Handover code has been expired.")


def test_another_organisations_key_is_refused_and_the_code_stays_valid(
    site: Site, shop: Shop, customer: Browser
) -> None:
    code = new_code(customer)
    assert other_shop(site).post("redeem-handover", code=code, nonce=NONCE).code == "E003"
    assert shop.post("redeem-handover", code=code, nonce=NONCE).json["success"] is True


def test_a_handed_over_identity_is_unknown_to_another_organisation(site: Site, shop: Shop, customer: Browser) -> None:
    identity = shop.post("redeem-handover", code=new_code(customer), nonce=NONCE).json["identityId"]
    other = other_shop(site)
    assert other.account(identity) == {"loggedIn": False}
    other.post("logout", identityId=identity)
    assert shop.account(identity)["loggedIn"] is True


def test_a_key_without_the_scope_is_refused(site: Site, customer: Browser) -> None:
    login_only = new_shop(site, scopes=[Scope.LOGIN])
    answer = login_only.post("redeem-handover", code=new_code(customer), nonce=NONCE)
    assert (answer.status, answer.code) == (403, "PUBLIC_API_KEY_HAS_NO_PERMISSION")


@pytest.mark.parametrize("code", [None, "", 7, ["x"], "x" * 256, "a\nb"])
def test_a_malformed_code_is_reported(shop: Shop, code: object) -> None:
    assert shop.post("redeem-handover", code=code, nonce=NONCE).fields.keys() == {"code"}


def other_shop(site: Site) -> Shop:
    """A server with a key of another organisation."""
    values = {"slug": "other", "name": "Other", "frame_ancestors": [], "return_origins": []}
    with site.context.database.write() as connection:
        statement = insert(Organisation).values(**values, magic_auth_creates=True, created_at=site.context.clock())
        organisation_id = connection.execute(statement.returning(Organisation.c.id)).scalar_one()
    return new_shop(site, organisation_id=organisation_id)
