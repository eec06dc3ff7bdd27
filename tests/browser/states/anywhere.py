"""States that any page may be in: an expired form, an error, or another organisation."""

from tests.browser.stage import Stage, State, show
from tests.browser.visitor import Visitor


def stale(path: str, press: str, **fields: str) -> State:
    """Return the state of a form that was sent without its cookie."""

    def open_it(stage: Stage) -> Visitor:
        visitor = stage.cleared()
        visitor.go(path)
        visitor.page.wait_for_load_state("networkidle")  # the sign-in page's script has asked for passkeys
        visitor.context.clear_cookies()
        visitor.type(**fields)
        assert visitor.press(press) == 400
        return visitor

    return open_it


def at_the_shop(path: str) -> State:
    """Return the state of a page of another organisation than the default one."""
    return lambda stage: show(stage.cleared(url=stage.shop_url), path, "", {})


def failing(path: str, status: int) -> State:
    def open_it(stage: Stage) -> Visitor:
        visitor = stage.cleared(url=stage.failing_url)
        assert visitor.go(path) == status
        return visitor

    return open_it


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
