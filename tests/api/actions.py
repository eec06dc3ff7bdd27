"""What customers do through a shop's server."""

from contextlib import suppress

from tests.api.shop import Answer, Shop
from tests.web.conftest import PASSWORD, Site
from tests.web.post import link_in

EMAIL = "ada@example.com"
OTHER_PASSWORD = "gravel mitten orchard 87"
WRONG_PASSWORD = "cinder ballot marrow 63"


def token(site: Site, email: str = EMAIL) -> str:
    """Return the token in the last email to an address that has a link."""
    for mail in reversed(site.mails(email)):
        with suppress(ValueError):
            return link_in(mail).rpartition("/")[2]
    raise AssertionError("no mail with a link came")


def register(shop: Shop, email: str = EMAIL, password: str = PASSWORD, **more: object) -> Answer:
    return shop.post("register-account", email=email, password=password, **more)


def join(site: Site, shop: Shop, email: str = EMAIL) -> None:
    """Register and confirm a customer through the shop."""
    assert register(shop, email).json == {"success": True}
    assert shop.post("register-account-verify", token=token(site, email)).json["success"]


def log_in(shop: Shop, password: str = PASSWORD, **more: object) -> Answer:
    return shop.post("login", email=EMAIL, password=password, **more)


def fail_to_log_in(shop: Shop, times: int) -> None:
    for _ in range(times):
        assert log_in(shop, WRONG_PASSWORD).json["success"] is False


def asked_reset(site: Site, shop: Shop, **more: object) -> str:
    assert shop.post("reset-password", email=EMAIL, **more).json == {"success": True}
    return token(site)


def set_password(shop: Shop, token: str, password: str = OTHER_PASSWORD) -> Answer:
    return shop.post("set-new-password", token=token, password=password)
