"""Behind a shop's server, a customer's known device is the network that the server reports; it has its own limits."""

from portal.storage.models import Device
from tests.api.actions import EMAIL, WRONG_PASSWORD, join
from tests.api.shop import Answer, Shop, new_shop
from tests.web.conftest import PASSWORD, Site, Start

OWNERS = "203.0.113.5"


def log_in(shop: Shop, password: str = PASSWORD, ip: str | None = None) -> Answer:
    return shop.post("login", email=EMAIL, password=password, customerRealIp=ip)


def spray(shop: Shop, times: int = 11) -> None:
    for number in range(times):
        assert log_in(shop, WRONG_PASSWORD, f"198.51.100.{number}").json["success"] is False


def mails(site: Site) -> int:
    return len(site.mails(EMAIL))


def devices(site: Site) -> int:
    return len(site.rows()[Device.name])


def test_wrong_passwords_elsewhere_do_not_lock_out_the_owner(site: Site) -> None:
    shop = new_shop(site)
    join(site, shop)
    assert log_in(shop, ip=OWNERS).json["success"]
    spray(shop)
    assert log_in(shop, ip="203.0.113.6").code == log_in(shop).code == "E006"
    assert log_in(shop, ip=OWNERS).json["success"]

    wrong = [log_in(shop, WRONG_PASSWORD, OWNERS).code for _ in range(11)]
    assert wrong == ["E004"] * 10 + ["E006"]
    assert log_in(shop, ip=OWNERS).code == "E006"


def test_emails_asked_for_elsewhere_do_not_use_up_the_owners_limit(site: Site) -> None:
    shop = new_shop(site)
    join(site, shop)
    log_in(shop, ip=OWNERS)
    before = mails(site)
    for number in range(8):
        shop.post("reset-password", email=EMAIL, customerRealIp=f"198.51.100.{number}")
    assert mails(site) == before + 6
    for _ in range(6):
        shop.post("reset-password", email=EMAIL, customerRealIp=OWNERS)
    assert mails(site) == before + 11


def test_only_a_password_sign_in_with_a_named_network_makes_the_network_known(site: Site) -> None:
    shop = new_shop(site)
    join(site, shop)
    log_in(shop)
    log_in(shop, WRONG_PASSWORD, OWNERS)
    for not_given in ("", "127.0.0.1", "localhost"):
        log_in(shop, ip=not_given)
    shop.post("magic-auth", email=EMAIL, customerRealIp=OWNERS)
    assert devices(site) == 0
    for _ in range(2):
        log_in(shop, ip=OWNERS)
    assert devices(site) == 1


def test_a_device_cookie_is_ignored_by_the_api(site: Site) -> None:
    browser = site.customer(EMAIL)
    shop = new_shop(site)
    spray(shop)
    cookie = f"device={browser.cookie('device')}"
    answer = shop.ask("POST", "login", body={"email": EMAIL, "password": PASSWORD}, headers={"Cookie": cookie})
    assert answer.code == "E006"


def test_the_limit_of_a_network_counts_in_known_networks_too(start: Start) -> None:
    site = start(LOGIN_LIMIT_NETWORK="3 per hour")
    shop = new_shop(site)
    join(site, shop)
    assert log_in(shop, ip=OWNERS).json["success"]
    assert [log_in(shop, WRONG_PASSWORD, OWNERS).code for _ in range(4)] == ["E004"] * 3 + ["E006"]
