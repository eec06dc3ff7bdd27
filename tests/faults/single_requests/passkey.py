"""Requests of customers with passkeys."""

from tests.faults.single_requests.world import Act, Answer, Requests, World, sending
from tests.passkeys import Authenticator
from tests.web.browser import Browser
from tests.web.passkeys.steps import LIST as PASSKEYS
from tests.web.passkeys.steps import SIGN_IN as SIGN_IN_WITH_PASSKEY
from tests.web.passkeys.steps import add, ask


def with_a_passkey(world: World) -> tuple[Browser, Authenticator]:
    """A customer who has just added a passkey, and the authenticator with it."""
    browser, keys = world.site.customer(world.address()), Authenticator(world.site.settings.base_url, counts=True)
    assert add(browser, keys).status == 302
    return browser, keys


def answering(browser: Browser, path: str, keys: Authenticator, submit_to: str) -> Act:
    """Get the options of a page, and send the assertion of a passkey later."""
    page = browser.open(path)
    asked = ask(browser, submit_to, page)
    sent = {"credential": keys.get(asked["options"]), "challenge": asked["challenge"]}
    data = {**page.form(path).fields, **sent}

    def send() -> Answer:
        answer = browser.send(submit_to, "POST", data=data)
        return answer.status, answer.headers.get("Location", "").partition("?")[0]

    return send


def adds_a_passkey(world: World) -> Act:
    browser, keys = world.site.customer(world.address()), Authenticator(world.site.settings.base_url)
    asked = ask(browser, PASSKEYS, browser.open(PASSKEYS))
    sent = {"credential": keys.create(asked["options"]), "challenge": asked["challenge"]}
    return sending(browser, PASSKEYS, submit_to=PASSKEYS, **sent)


def signs_in_with_a_passkey(world: World) -> Act:
    _, keys = with_a_passkey(world)
    return answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)


def signs_in_with_a_copied_passkey(world: World) -> Act:
    _, keys = with_a_passkey(world)
    answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)()
    keys.credentials[0].sign_count = 0
    return answering(world.site.browser(), "/login", keys, SIGN_IN_WITH_PASSKEY)


def confirms_who_she_is_by_a_passkey(world: World) -> Act:
    browser, keys = with_a_passkey(world)
    return answering(browser, "/reauthenticate", keys, "/reauthenticate/passkey")


def page_of_passkey(browser: Browser, which: str) -> str:
    (path,) = (link.get("href") for link in browser.open(PASSKEYS).tree.all("a") if which in link.get("href"))
    return path


def renames_a_passkey(world: World) -> Act:
    browser, _ = with_a_passkey(world)
    path = page_of_passkey(browser, "rename")
    return sending(browser, path, submit_to=path, name="Blue key")


def removes_a_passkey(world: World) -> Act:
    browser, _ = with_a_passkey(world)
    path = page_of_passkey(browser, "remove")
    return sending(browser, path, submit_to=path)


REQUESTS: Requests = [
    *(adds_a_passkey, renames_a_passkey, removes_a_passkey, confirms_who_she_is_by_a_passkey),
    *(signs_in_with_a_passkey, signs_in_with_a_copied_passkey),
]
