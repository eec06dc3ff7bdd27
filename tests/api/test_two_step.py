"""Two-step verification for a shop's server: a code beside the password, and answers that reveal nothing without it."""

import pytest
from sqlalchemy import update

from portal.storage.models import Organisation
from tests.api.actions import EMAIL, OTHER_PASSWORD, WRONG_PASSWORD, asked_reset, join, log_in, set_password
from tests.api.shop import Answer, Shop
from tests.web.authenticator import Phone, pass_step, set_up
from tests.web.conftest import PASSWORD, Site
from tests.web.two_step.ways_in import by_password, require


@pytest.fixture
def phone(site: Site, shop: Shop) -> Phone:
    """A customer with two-step verification who registered through the shop."""
    join(site, shop)
    browser = site.browser()
    by_password(site, browser)
    return set_up(site, browser)


def failed(answer: Answer) -> tuple[str, str | None]:
    assert answer.json["success"] is False
    return answer.json["errorCode"], answer.json.get("detail")


def test_the_second_step_is_reported_only_after_the_right_password(site: Site, shop: Shop, phone: Phone) -> None:
    assert failed(log_in(shop)) == ("E001", "two-step-required")
    assert failed(log_in(shop, otp="")) == ("E001", "two-step-required")
    assert failed(log_in(shop, WRONG_PASSWORD, otp=phone.code())) == ("E004", None)
    assert failed(log_in(shop, otp="12345")) == ("E001", "two-step-wrong")
    assert log_in(shop).json["message"] == "Customer login failed."
    answer = log_in(shop, otp=phone.code()).json
    assert answer.keys() == {"success", "identityId"}
    account = shop.account(answer["identityId"])
    assert account["loggedIn"] is True
    assert not any("two" in name.lower() or "otp" in name.lower() for name in account)
    site.ban(EMAIL)
    assert failed(log_in(shop, otp="12345")) == ("E005", None)


def test_a_code_and_a_recovery_code_work_once(shop: Shop, phone: Phone) -> None:
    code = phone.code()
    assert log_in(shop, otp=code).json["success"]
    assert failed(log_in(shop, otp=code)) == ("E001", "two-step-wrong")
    assert log_in(shop, otp=phone.recovery_codes[0]).json["success"]
    assert failed(log_in(shop, otp=phone.recovery_codes[0])) == ("E001", "two-step-wrong")


def test_wrong_codes_are_throttled_like_passwords(shop: Shop, phone: Phone) -> None:
    for number in range(10):
        assert failed(log_in(shop, otp="12345", customerRealIp=f"198.51.100.{number}"))[0] == "E001"
    assert failed(log_in(shop, otp=phone.code(), customerRealIp="198.51.100.50"))[0] == "E006"
    assert log_in(shop, otp=phone.recovery_codes[0]).json["success"]


def test_a_code_is_ignored_where_there_is_no_second_step(site: Site, shop: Shop) -> None:
    join(site, shop)
    assert log_in(shop, otp="123456").json["success"]


def test_a_pending_registration_comes_before_the_second_step(site: Site, shop: Shop) -> None:
    require(site, "required")
    shop.post("register-account", email=EMAIL, password=PASSWORD)
    assert failed(log_in(shop))[0] == "E007"


def test_where_it_is_required_it_must_be_set_up_first(site: Site, shop: Shop) -> None:
    join(site, shop)
    require(site, "required")
    assert failed(log_in(shop)) == ("E001", "two-step-setup-required")
    assert failed(log_in(shop, otp="123456")) == ("E001", "two-step-setup-required")
    assert failed(log_in(shop, WRONG_PASSWORD)) == ("E004", None)


def test_magic_auth_and_set_new_password_never_ask(site: Site, shop: Shop, phone: Phone) -> None:
    require(site, "required")
    assert phone.secret
    assert shop.post("magic-auth", email=EMAIL).json["success"]
    assert set_password(shop, asked_reset(site, shop)).json == {"success": True}
    assert failed(log_in(shop, OTHER_PASSWORD)) == ("E001", "two-step-required")


def test_a_trusted_browser_is_no_trust_in_the_shop(site: Site, shop: Shop, phone: Phone) -> None:
    browser = site.browser("203.0.113.5")
    browser.sign_in(EMAIL, PASSWORD)
    pass_step(browser, phone.code(), trust="y")
    assert failed(log_in(shop, customerRealIp="203.0.113.5"))[1] == "two-step-required"


def test_who_has_one_is_asked_also_where_it_is_not_offered(site: Site, shop: Shop, phone: Phone) -> None:
    assert phone.secret
    with site.context.database.write() as connection:
        connection.execute(update(Organisation).values(require_two_step="never"))
    assert failed(log_in(shop)) == ("E001", "two-step-required")
