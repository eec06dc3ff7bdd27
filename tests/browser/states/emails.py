"""States of the local mailbox, and of emails by themselves."""

from tests.browser.stage import CLOSED, FORGETFUL, Stage, State
from tests.browser.states.sign_in import sign_in_code
from tests.browser.visitor import Visitor
from tests.cli.process import run_portal


def sign_in_email(stage: Stage) -> Visitor:
    assert stage.forgetful
    sign_in_code(stage, FORGETFUL)
    return _email_alone(stage, "Sign in to")


def erased_email(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    email = "erased@example.com"
    visitor.join(email)
    deleted = run_portal(stage.instance, "customer", "delete", "--yes", email)
    assert deleted.returncode == 0, deleted.stderr
    return _email_alone(stage, "We have erased", email)


def mailbox(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    assert visitor.register(f"{'a-very-long-local-part-' * 2}@example.com") == 200
    visitor.find_mail("a-very-long-local-part", "Confirm your email")
    return visitor


def mailbox_email(stage: Stage) -> Visitor:
    assert stage.waiting
    visitor = stage.cleared()
    visitor.open_mail("waiting@example.com", "Confirm your email")
    return visitor


def email_alone(subject: str, email: str = FORGETFUL) -> State:
    return lambda stage: _email_alone(stage, subject, email)


def _email_alone(stage: Stage, subject: str, email: str = FORGETFUL) -> Visitor:
    """Show the HTML of an email without the frame of the local mailbox, in which axe cannot run."""
    reached = {FORGETFUL: "forgetful", CLOSED: "closed"}
    assert getattr(stage, reached.get(email, "moved"))
    visitor = stage.cleared()
    path = visitor.path_of_mail(email, subject)
    html = visitor.context.request.get(f"{visitor.url}{path}/html").text()
    visitor.page.goto("about:blank")
    visitor.page.set_content(html)
    return visitor
