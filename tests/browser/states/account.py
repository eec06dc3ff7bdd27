"""States of a customer's account."""

from tests.browser.stage import STEPPING, Stage, State, show
from tests.browser.states.values import numbers
from tests.browser.visitor import Visitor


def passkey(path: str, press: str = "", **fields: str) -> State:
    """Return the state of a page of a customer with one passkey, or of a page about that passkey."""

    def open_it(stage: Stage) -> Visitor:
        cookies, about = stage.keyed
        return show(stage.cleared(cookies), about + path if path in ("/rename", "/remove") else path, press, fields)

    return open_it


def _new_customer(stage: Stage) -> tuple[Visitor, str, str]:
    """The visitor of a new customer, the present address, and another one for them."""
    visitor = stage.cleared()
    number = next(numbers)
    email = f"moving-{number}@example.com"
    visitor.join(email)
    return visitor, email, f"moved-{number}@example.com"


def _asking_for(stage: Stage) -> tuple[Visitor, str, str]:
    """A new customer who has asked for another address; the visitor, the present address, and the new one."""
    visitor, email, new = _new_customer(stage)
    visitor.send_form("/account/email", email=new)
    return visitor, email, new


def change_email_code(stage: Stage) -> Visitor:
    visitor, _, new = _new_customer(stage)
    visitor.go("/account/email")
    visitor.type(email=new)
    assert visitor.press("Continue") == 200
    return visitor


def change_email_code_wrong(stage: Stage) -> Visitor:
    visitor = change_email_code(stage)
    visitor.type(code="12 34-56")
    assert visitor.press("Change email address") == 422
    return visitor


def change_email_pending(path: str) -> State:
    """The state of a page while a change of address is pending."""

    def open_it(stage: Stage) -> Visitor:
        visitor = _asking_for(stage)[0]
        visitor.go(path)
        return visitor

    return open_it


def confirm_email(stage: Stage) -> Visitor:
    visitor, _, new = _asking_for(stage)
    visitor.go(visitor.link_to(new, "Confirm your new email"))
    return visitor


def undo_email(stage: Stage) -> Visitor:
    visitor, email, new = _asking_for(stage)
    visitor.send_form(visitor.link_to(new, "Confirm your new email"))
    visitor.go(visitor.link_to(email, "The email address of your"))
    return visitor


def undo_email_done(stage: Stage) -> Visitor:
    visitor = undo_email(stage)
    visitor.press("Undo the change")
    return visitor


def two_step_codes(stage: Stage) -> Visitor:
    """The page that shows the recovery codes once."""
    visitor = stage.cleared()
    email = f"coded-{next(numbers)}@example.com"
    visitor.join(email)
    assert len(visitor.set_up_two_step()) == 10
    return visitor


def two_step(stage: Stage) -> Visitor:
    return show(stage.cleared(stage.stepping[0]), "/account/two-step", "", {})


def reauthenticate_two_step(stage: Stage) -> Visitor:
    """A change that needs reauthentication, in a browser that signed in without the second step."""
    codes = stage.stepping[1]
    visitor = stage.cleared()
    visitor.sign_in(STEPPING)
    visitor.enter_recovery_code(codes.pop(), trust=True)
    visitor.press("Sign out")
    visitor.sign_in(STEPPING)
    visitor.go("/account/two-step")
    visitor.press("Make new codes")
    return visitor


def profile_of_company(stage: Stage) -> Visitor:
    """The profile with its collapsed fields open."""
    visitor = show(stage.cleared(stage.ada), "/account/profile", "", {})
    visitor.page.locator("summary").click()
    return visitor


def account_deleted(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.join("leaving@example.com")
    visitor.go("/account/delete")
    visitor.page.get_by_role("checkbox").check()
    assert visitor.press("Delete my account") == 200
    return visitor


def keep_account(stage: Stage) -> Visitor:
    link = stage.closed
    visitor = stage.cleared()
    visitor.go(link)
    return visitor
