"""States of signing in and out."""

from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.browser.conftest import LOGIN_TRIES
from tests.browser.keyring import keyring
from tests.browser.stage import ADA, SITE_HOST, STEPPING, Stage, State, show
from tests.browser.states.values import numbers
from tests.browser.visitor import PASSWORD, Visitor, press_enter
from tests.cli.process import run_portal


def login_busy(stage: Stage) -> Visitor:
    """A form that is being sent, and whose response never arrives."""
    visitor = show(stage.cleared(), "/login", "", {"email": ADA, "password": PASSWORD})
    visitor.page.evaluate("document.addEventListener('submit', event => event.preventDefault())")
    visitor.page.get_by_role("button", name=visitor.said("Sign in"), exact=True).click()
    expect(visitor.page.locator("form[data-busy]")).to_have_count(1)
    return visitor


def login_throttled(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    for _ in range(LOGIN_TRIES):
        assert visitor.sign_in("guessed@example.com", "six wrong geese honk") == 422
    assert visitor.sign_in("guessed@example.com") == 429
    return visitor


def login_unverified(stage: Stage) -> Visitor:
    assert stage.waiting
    visitor = stage.cleared()
    assert visitor.sign_in("waiting@example.com") == 422
    return visitor


def login_banned(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.join("banned@example.com")
    banned = run_portal(stage.instance, "customer", "ban", "banned@example.com", "--reason", "a test")
    assert banned.returncode == 0, banned.stderr
    visitor = stage.cleared()
    assert visitor.sign_in("banned@example.com") == 422
    return visitor


def signed_out(stage: Stage) -> Visitor:
    assert stage.ada
    visitor = stage.cleared()
    visitor.sign_in(ADA)
    visitor.press("Sign out")
    return visitor


def login_passkey_refused(stage: Stage) -> Visitor:
    """The answer to a form without a passkey."""
    visitor = show(stage.cleared(), "/login", "", {"email": ADA})
    button = visitor.page.locator("[data-passkey] button")
    with visitor.page.expect_navigation():
        button.evaluate("button => button.form.requestSubmit(button)")
    return visitor


def login_passkey_cancelled(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    with keyring(visitor.page) as keys:
        keys.add()
        visitor.go("/login")
        press_enter(visitor.page.locator("[data-passkey] button"))
        expect(visitor.page.get_by_role("alert")).to_be_visible()
    return visitor


def sign_in_code(stage: Stage, email: str = "asking@example.com") -> Visitor:
    visitor = stage.cleared()
    visitor.go("/login/link")
    visitor.type(email=email)
    assert visitor.press("Email me a sign-in link") == 200
    return visitor


def sign_in_code_wrong(stage: Stage) -> Visitor:
    visitor = sign_in_code(stage, "typing@example.com")
    visitor.type(code="12 34-56")
    assert visitor.press("Sign in") == 422
    return visitor


def sign_in_link(stage: Stage) -> Visitor:
    assert stage.ada
    link = sign_in_code(stage, ADA).link_to(ADA, "Sign in to")
    visitor = stage.cleared()
    visitor.go(link)
    return visitor


def _link_of_notice(stage: Stage) -> str:
    """The link in a notice of a new sign-in."""
    email = f"watched-{next(numbers)}@example.com"
    visitor = stage.cleared()
    visitor.join(email)
    visitor = stage.cleared()
    visitor.send_form("/login", email=email, password=PASSWORD)
    return visitor.link_to(email, "New sign-in to your")


def not_me(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    return show(stage.cleared(), link, "", {})


def not_me_done(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    return show(stage.cleared(), link, "Sign everyone out", {})


def not_me_used(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    stage.cleared().send_form(link)
    visitor = stage.cleared()
    assert visitor.go(link) == 410
    return visitor


def login_two_step(press: str = "", *, recovery: bool = False, **fields: str) -> State:
    """A sign-in that waits for its second step."""

    def open_it(stage: Stage) -> Visitor:
        assert stage.stepping
        visitor = stage.cleared()
        visitor.sign_in(STEPPING)
        if recovery:
            visitor.follow("Use a recovery code")
        visitor.type(**fields)
        if press:
            assert visitor.press(press) == 422
        return visitor

    return open_it


def login_set_up(stage: Stage) -> Visitor:
    """A sign-in at an organisation that requires a second step, of a customer who has none."""
    assert stage.ada
    visitor = stage.cleared()
    email = f"required-{next(numbers)}@example.com"
    visitor.join(email)
    visitor = stage.cleared()
    set_rule = ("organisation", "set", "default", "--require-two-step")
    assert run_portal(stage.instance, *set_rule, "required").returncode == 0
    try:
        visitor.sign_in(email)
    finally:
        assert run_portal(stage.instance, *set_rule, "optional").returncode == 0
    return visitor


def continuing(stage: Stage) -> Visitor:
    """A customer who was signed in before they came from a site."""
    address = stage.handover_url
    visitor = stage.cleared(stage.ada)
    visitor.go(f"/login?{urlencode({'return_url': address, 'nonce': 'made-up-by-the-page_22'})}")
    expect(visitor.heading).to_have_text(visitor.said("Continue to %(site)s") % {"site": SITE_HOST})
    return visitor


def continuing_stale(stage: Stage) -> Visitor:
    visitor = continuing(stage)
    visitor.page.evaluate("document.querySelectorAll('[name=csrf_token]').forEach(field => field.value = 'stale')")
    assert visitor.press("Continue") == 400
    return visitor


def logout_stale(stage: Stage) -> Visitor:
    visitor = stage.cleared(stage.ada)
    visitor.go("/account")
    visitor.page.evaluate("document.querySelectorAll('[name=csrf_token]').forEach(field => field.value = 'stale')")
    assert visitor.press("Sign out") == 400
    return visitor
