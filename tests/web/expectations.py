"""What responses of the portal have in common, and assertions about it."""

from tests.web.browser import Page
from tests.web.html import Element

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def assert_headers(page: Page, *, name: str = "", private: bool = True, https: bool = False) -> None:
    """Check the headers of a response; a private one must not be cached."""
    for header, value in HEADERS.items():
        assert page.headers.getlist(header) == [value], name
    assert page.headers.get("Strict-Transport-Security") == ("max-age=31536000" if https else None), name
    assert "X-Frame-Options" not in page.headers, name
    assert "Server" not in page.headers, name
    assert [header for header, _ in page.headers if header.lower().startswith("access-control-")] == [], name
    if private:
        assert page.headers.getlist("Cache-Control") == ["no-store"], name
        assert "Cookie" in {value.strip() for value in page.headers.get("Vary", "").split(",")}, name


def assert_page(page: Page, status: int) -> None:
    """Check the layout of a page: one heading, header, main and footer, a language, and no internals."""
    assert page.status == status
    tree = page.tree
    assert len(tree.all("h1")) == 1
    assert tree.one("html").get("lang") == "en"
    assert len(tree.all("header")) == len(tree.all("main")) == len(tree.all("footer")) == 1
    assert tree.one("body").all("a")[0].get("href") == "#main"
    assert tree.one("main").get("id") == "main"
    assert "Traceback" not in page.text
    assert "portal/" not in page.text


def assert_error_page(page: Page, status: int) -> None:
    """Check that an error page has its status and links, and a reference only for errors of the server."""
    assert_page(page, status)
    assert_headers(page, name=str(status))
    assert (f"Error {status}" in page.words) == (status != 410)  # a used link is not an error of the server
    assert page.tree.one("main").all("a") or page.tree.one("main").all("form")
    assert ("Reference: " in page.words) == (status >= 500)


def visible_fields(page: Page) -> list[Element]:
    """Return the fields of the main part that people fill in."""
    hidden = {"hidden", "submit"}
    return [e for e in page.tree.one("main").all("input") if e.get("type") not in hidden and e.get("name")]


def focused(page: Page) -> list[str]:
    """Return the fields that are focused when a page opens."""
    return [field.get("name") for field in page.tree.all("input") if "autofocus" in field.attributes]
