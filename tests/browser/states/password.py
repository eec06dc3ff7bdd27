"""States of a new password."""

from playwright.sync_api import expect

from tests.browser.conftest import MAILS
from tests.browser.stage import Stage, State, show
from tests.browser.states.values import numbers
from tests.browser.visitor import PASSWORD, Visitor


def typing(path: str, verdict: str, **fields: str) -> State:
    """Return the state of a form that is being filled in, with the verdict on the password."""

    def open_it(stage: Stage) -> Visitor:
        visitor = show(stage.cleared(), path, "", fields)
        expect(visitor.page.locator(".verdict")).to_contain_text(visitor.said(verdict))
        return visitor

    return open_it


def set_new(press: str = "", **fields: str) -> State:
    def open_it(stage: Stage) -> Visitor:
        link = stage.reset_link
        return show(stage.cleared(), link, press, fields)

    return open_it


def _reset_link(stage: Stage, *, changed_to: str = "") -> str:
    """Return the reset link of a new customer, who may have changed the password before."""
    visitor = stage.cleared()
    email = f"careless-{next(numbers)}@example.com"
    visitor.join(email)
    if changed_to:
        visitor.send_form("/account/password", current_password=PASSWORD, password=changed_to)
    visitor = stage.cleared()
    visitor.send_form("/password/reset", email=email)
    return visitor.link_to(email, "Set a new password")


def set_new_reused(stage: Stage) -> Visitor:
    link = _reset_link(stage, changed_to="nine grey otters swim")
    visitor = stage.cleared()
    visitor.go(link)
    visitor.type(password=PASSWORD)
    assert visitor.press("Save new password") == 422
    return visitor


def reset_done(stage: Stage) -> Visitor:
    link = _reset_link(stage)
    return show(stage.cleared(), link, "Save new password", {"password": "nine grey otters swim"})


def reset_used(stage: Stage) -> Visitor:
    link = _reset_link(stage)
    stage.cleared().send_form(link, password="nine grey otters swim")
    visitor = stage.cleared()
    assert visitor.go(link) == 410
    return visitor


def reset_throttled(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    for _ in range(MAILS):
        assert visitor.ask_for_reset("flooded@example.com") == 200
    assert visitor.ask_for_reset("flooded@example.com") == 429
    return visitor
