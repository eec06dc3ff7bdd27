"""States that need more steps than to open a page and send its form."""

from itertools import count
from urllib.parse import urlencode

from playwright.sync_api import expect

from tests.browser.conftest import LOGIN_TRIES, MAILS
from tests.browser.keyring import keyring
from tests.browser.stage import ADA, CLOSED, FORGETFUL, SITE_HOST, STEPPING, Stage, State, show
from tests.browser.visitor import PASSWORD, Visitor, press_enter
from tests.cli.process import run_portal

LONG_EMAIL = "maximiliana.featherstonehaugh-cholmondeley@customers.a-rather-long-company-name.example.com"
LONG_FIRST, LONG_LAST = "Wolfeschlegelsteinhausenbergerdorff", "Featherstonehaugh-Cholmondeley-Marjoribanks the Younger"
UNKNOWN = "x" * 40
_numbers = count()


def stale(path: str, press: str, **fields: str) -> State:
    """Return the state of a form that was sent without its cookie."""

    def open_it(stage: Stage) -> Visitor:
        visitor = stage.cleared()
        visitor.go(path)
        visitor.context.clear_cookies()
        visitor.type(**fields)
        assert visitor.press(press) == 400
        return visitor

    return open_it


def typing(path: str, verdict: str, **fields: str) -> State:
    """Return the state of a form that is being filled in, with the verdict on the password."""

    def open_it(stage: Stage) -> Visitor:
        visitor = show(stage.cleared(), path, "", fields)
        expect(visitor.page.locator(".verdict")).to_contain_text(visitor.said(verdict))
        return visitor

    return open_it


def login_busy(stage: Stage) -> Visitor:
    """A form that is being sent, and never arrives."""
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
    visitor.register("banned@example.com")
    visitor.confirm("banned@example.com")
    visitor.press("Sign out")
    banned = run_portal(stage.instance, "customer", "ban", "banned@example.com", "--reason", "a test")
    assert banned.returncode == 0, banned.stderr
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


def passkey(path: str, press: str = "", **fields: str) -> State:
    """Return the state of a page of a customer with one passkey, or of a page about that passkey."""

    def open_it(stage: Stage) -> Visitor:
        cookies, about = stage.keyed
        return show(stage.cleared(cookies), about + path if path in ("/rename", "/remove") else path, press, fields)

    return open_it


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


def sign_in_email(stage: Stage) -> Visitor:
    assert stage.forgetful
    sign_in_code(stage, FORGETFUL)
    return _email_alone(stage, "Sign in to")


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


def set_new(press: str = "", **fields: str) -> State:
    def open_it(stage: Stage) -> Visitor:
        link = stage.reset_link
        return show(stage.cleared(), link, press, fields)

    return open_it


def _with_reset_link(stage: Stage, *, changed_to: str = "") -> Visitor:
    """Open the reset link of a new, signed-out customer, who may have changed the password before."""
    visitor = stage.cleared()
    email = f"careless-{next(_numbers)}@example.com"
    visitor.register(email)
    visitor.confirm(email)
    if changed_to:
        visitor.go("/account/password")
        visitor.type(current_password=PASSWORD, password=changed_to)
        visitor.press("Save new password")
    visitor.press("Sign out")
    visitor.ask_for_reset(email)
    visitor.go(visitor.link_to(email, "Set a new password"))
    return visitor


def _asking_for(stage: Stage, new: str = "") -> tuple[Visitor, str, str]:
    """A new customer who has asked for another address; the visitor, the present address, and the new one."""
    visitor = stage.cleared()
    number = next(_numbers)
    email, new = f"moving-{number}@example.com", new or f"moved-{number}@example.com"
    visitor.register(email)
    visitor.confirm(email)
    visitor.go("/account/email")
    visitor.type(email=new)
    assert visitor.press("Continue") == 200
    return visitor, email, new


def change_email_code(stage: Stage) -> Visitor:
    return _asking_for(stage)[0]


def change_email_code_wrong(stage: Stage) -> Visitor:
    visitor = _asking_for(stage)[0]
    visitor.type(code="12 34-56")
    assert visitor.press("Change email address") == 422
    return visitor


def change_email_pending(path: str) -> State:
    """What a page says of a change that waits."""

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
    visitor, email = _changed(stage)
    visitor.go(visitor.link_to(email, "The email address of your"))
    return visitor


def _changed(stage: Stage) -> tuple[Visitor, str]:
    """A new customer who has changed the address; the visitor, and the former one."""
    visitor, email, new = _asking_for(stage)
    visitor.go(visitor.link_to(new, "Confirm your new email"))
    visitor.press("Change email address")
    return visitor, email


def undo_email_done(stage: Stage) -> Visitor:
    visitor = undo_email(stage)
    visitor.press("Undo the change")
    return visitor


def set_new_reused(stage: Stage) -> Visitor:
    visitor = _with_reset_link(stage, changed_to="nine grey otters swim")
    visitor.type(password=PASSWORD)
    assert visitor.press("Save new password") == 422
    return visitor


def reset_done(stage: Stage) -> Visitor:
    visitor = _with_reset_link(stage)
    visitor.type(password="nine grey otters swim")
    visitor.press("Save new password")
    return visitor


def reset_used(stage: Stage) -> Visitor:
    link = stage.forgetful
    visitor = stage.cleared()
    assert visitor.go(link) == 410
    return visitor


def _link_of_notice(stage: Stage) -> str:
    """The link in the notice of a sign-in that may have been somebody else's."""
    email = f"watched-{next(_numbers)}@example.com"
    visitor = stage.cleared()
    visitor.register(email)
    visitor.confirm(email)
    visitor = stage.cleared()
    visitor.sign_in(email)
    return visitor.link_to(email, "New sign-in to your")


def not_me(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    return show(stage.cleared(), link, "", {})


def not_me_done(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    return show(stage.cleared(), link, "Sign everyone out", {})


def not_me_used(stage: Stage) -> Visitor:
    link = _link_of_notice(stage)
    show(stage.cleared(), link, "Sign everyone out", {})
    visitor = stage.cleared()
    assert visitor.go(link) == 410
    return visitor


def reset_throttled(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    for _ in range(MAILS):
        assert visitor.ask_for_reset("flooded@example.com") == 200
    assert visitor.ask_for_reset("flooded@example.com") == 429
    return visitor


def at_the_shop(path: str) -> State:
    """Return the state of a page of another organisation than the default one."""
    return lambda stage: show(stage.cleared(url=stage.shop_url), path, "", {})


def two_step_codes(stage: Stage) -> Visitor:
    """The page that shows the recovery codes once."""
    visitor = stage.cleared()
    email = f"coded-{next(_numbers)}@example.com"
    visitor.register(email)
    visitor.confirm(email)
    assert len(visitor.set_up_two_step()) == 10
    return visitor


def two_step(stage: Stage) -> Visitor:
    return show(stage.cleared(stage.stepping[0]), "/account/two-step", "", {})


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
    email = f"required-{next(_numbers)}@example.com"
    visitor.register(email)
    visitor.confirm(email)
    visitor.press("Sign out")
    set_rule = ("organisation", "set", "default", "--require-two-step")
    assert run_portal(stage.instance, *set_rule, "required").returncode == 0
    try:
        visitor.sign_in(email)
    finally:
        assert run_portal(stage.instance, *set_rule, "optional").returncode == 0
    return visitor


def reauthenticate_two_step(stage: Stage) -> Visitor:
    """Something dangerous in a browser that signed in without the second step."""
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


def failing(path: str, status: int) -> State:
    def open_it(stage: Stage) -> Visitor:
        visitor = stage.cleared(url=stage.failing_url)
        assert visitor.go(path) == status
        return visitor

    return open_it


def account_deleted(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.register("leaving@example.com")
    visitor.confirm("leaving@example.com")
    visitor.go("/account/delete")
    visitor.page.get_by_role("checkbox").check()
    assert visitor.press("Delete my account") == 200
    return visitor


def keep_account(stage: Stage) -> Visitor:
    link = stage.closed
    visitor = stage.cleared()
    visitor.go(link)
    return visitor


def erased_email(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    email = "erased@example.com"
    visitor.register(email)
    visitor.confirm(email)
    deleted = run_portal(stage.instance, "customer", "delete", "--yes", email)
    assert deleted.returncode == 0, deleted.stderr
    return _email_alone(stage, "We have erased", email)


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


def language_stale(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.go("/register")
    other = visitor.page.locator("footer form[action='/language'] button").first.inner_text()
    visitor.context.clear_cookies()
    assert visitor.press(other) == 400
    return visitor


def forged(stage: Stage) -> Visitor:
    """A form on a page of another site."""
    visitor = stage.cleared()
    visitor.page.goto("about:blank")
    visitor.page.set_content(f'<form method="post" action="{visitor.url}/logout"><button>Win a prize</button></form>')
    assert visitor.press("Win a prize") == 400
    return visitor


def too_large(stage: Stage) -> Visitor:
    visitor = stage.cleared()
    visitor.go("/register")
    visitor.type(first_name="x" * 70_000)
    assert visitor.press("Create an account") == 413
    return visitor


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
    path = visitor.find_mail(email, subject).get_attribute("href")
    html = visitor.context.request.get(f"{visitor.url}{path}/html").text()
    visitor.page.goto("about:blank")
    visitor.page.set_content(html)
    return visitor
