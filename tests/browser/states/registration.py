"""States of registering and confirming an address."""

from tests.browser.conftest import MAILS
from tests.browser.stage import Stage, State, show
from tests.browser.states.values import LONG_EMAIL, LONG_FIRST, LONG_LAST
from tests.browser.visitor import Visitor


def sent(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.register(LONG_EMAIL, first=LONG_FIRST, last=LONG_LAST)
    return visitor


def sent_again(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.register("again@example.com")
    visitor.press("Resend the email")
    return visitor


def sent_too_often(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.register("often@example.com")
    for _ in range(MAILS - 1):
        assert visitor.press("Resend the email") == 200
    assert visitor.press("Resend the email") == 429
    return visitor


def verify(stage: Stage) -> Visitor:
    link, cookies = stage.waiting
    visitor = stage.cleared(cookies)
    visitor.go(link)
    return visitor


def verify_elsewhere(press: str = "", **fields: str) -> State:
    def open_it(stage: Stage) -> Visitor:
        link = stage.waiting[0]
        return show(stage.cleared(), link, press, fields)

    return open_it


def verify_used(stage: Stage) -> Visitor:
    link = stage.joined[0]
    visitor = stage.cleared()
    assert visitor.go(link) == 410
    return visitor


def welcome(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    long = LONG_EMAIL.replace("maximiliana", "wilhelmina")
    visitor.register(long, first=LONG_FIRST, last=LONG_LAST)
    visitor.confirm(long)
    return visitor
