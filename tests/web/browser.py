"""A browser without JavaScript: it stores cookies, parses pages and submits their forms."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response

from portal.app import settings_of
from tests.web.html import Element, read

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Form:
    """A form of a page."""

    action: str
    fields: dict[str, str]
    """The values that a browser would send: of hidden and filled-in fields, and of ticked checkboxes."""

    @property
    def token(self) -> str:
        return self.fields["csrf_token"]


class Page:
    """A response of the portal."""

    def __init__(self, response: Response) -> None:
        self.status: int = response.status_code
        self.headers: Headers = response.headers
        self.body: bytes = response.get_data()

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The content of a JSON response."""
        assert self.headers["Content-Type"] == "application/json"
        return json.loads(self.body)

    @property
    def location(self) -> str:
        """The target of a redirect."""
        assert 300 <= self.status < 400, f"{self.status} is no redirect"
        return self.headers["Location"]

    @property
    def cookies(self) -> dict[str, str]:
        """The Set-Cookie headers, by the name of the cookie."""
        return {cookie.partition("=")[0]: cookie for cookie in self.headers.getlist("Set-Cookie")}

    @property
    def tree(self) -> Element:
        """The parsed page; its markup must be valid."""
        tree, faults = read(self.text)
        assert faults == []
        return tree

    @property
    def title(self) -> str:
        return self.tree.one("title").text

    @property
    def words(self) -> str:
        """The text of the main part."""
        return self.tree.one("main").text

    @property
    def notices(self) -> list[str]:
        """The texts of the notices."""
        return [notice.text for notice in self.tree.all("p", role="status")]

    @property
    def forms(self) -> list[Form]:
        return [read_form(element) for element in self.tree.all("form")]

    def form(self, path: str | None = None) -> Form:
        """Return the only form in the page's main part, or the only one that is sent to a path."""
        forms = [read_form(element) for element in self.tree.one("main").all("form")]
        if path is not None:
            forms = [form for form in self.forms if urlsplit(form.action).path == path]
        (found,) = forms
        return found

    @property
    def problems(self) -> list[tuple[str, str]]:
        """The errors, as field (or an empty string) and message, in the order of the page.

        Several are the lines of the error summary; a single one is at its field, or above the form.
        """
        summaries = self.tree.all("div", role="alert")
        if not summaries:
            errors = [error for error in self.tree.all("p") if error.get("id").endswith("-error")]
            assert len(errors) <= 1
            return [(error.get("id").removesuffix("-error"), error.text.partition(": ")[2]) for error in errors]
        (summary,) = summaries
        lines = summary.all("li")
        assert len(lines) != 1
        if not lines:
            return [("", summary.one("p").text)]
        return [(line.all("a")[0].get("href")[1:] if line.all("a") else "", line.text) for line in lines]


def read_form(element: Element) -> Form:
    assert element.get("method") == "post"
    fields = {}
    for field in element.all("input"):
        ticked = field.get("type") != "checkbox" or "checked" in field.attributes
        if field.get("name") and ticked:
            fields[field.get("name")] = field.get("value")
    return Form(element.get("action"), fields)


class Browser:
    """A browser with its own cookies and IP address."""

    def __init__(self, app: Flask, address: str = "192.0.2.10", base_url: str | None = None) -> None:
        self._client = app.test_client()
        self._base_url = base_url or settings_of(app).base_url
        self.address = address

    def send(
        self,
        path: str,
        method: str = "GET",
        *,
        data: Any = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        **options: Any,
    ) -> Page:
        """Send one request, without following redirects."""
        with self._client.open(
            path,
            method=method,
            data=data,
            headers=headers,
            base_url=self._base_url,
            environ_base={"REMOTE_ADDR": self.address},
            **options,
        ) as response:
            return Page(response)

    def open(self, path: str) -> Page:
        """Open a page, following redirects."""
        page = self.send(path)
        for _ in range(5):
            if not 300 <= page.status < 400:
                break
            page = self.send(page.location)
        return page

    def follow(self, page: Page) -> Page:
        """Open the target of a redirect."""
        return self.open(page.location)

    def post(self, form: Form, fields: Fields | None = None, **options: Any) -> Page:
        """Submit a form with some values; a field that is None is left out."""
        typed = {**form.fields, **(fields or {})}
        data = {name: value for name, value in typed.items() if value is not None}
        return self.send(form.action, "POST", data=data, **options)

    def fill(self, path: str, fields: Fields | None = None, *, submit_to: str | None = None) -> Page:
        """Open a page and submit its form."""
        return self.post(self.open(path).form(submit_to), fields)

    def cookie(self, name: str = "portal") -> str | None:
        """Return the value of a cookie."""
        host = urlsplit(self._base_url).hostname or ""
        cookie = self._client.get_cookie(name, host)
        return cookie.value if cookie else None

    def set_cookie(self, value: str, name: str = "portal") -> None:
        self._client.set_cookie(name, value, domain=urlsplit(self._base_url).hostname or "")

    # What customers do.

    def register(self, email: str, password: str, **fields: Any) -> Page:
        """Create an account, and return the response to the form."""
        names = {"first_name": "Ada", "last_name": "Quill"}
        return self.fill("/register", {"email": email, "password": password, **names, **fields})

    def sign_in(self, email: str, password: str, **fields: Any) -> Page:
        """Sign in, and return the response to the form."""
        return self.fill("/login", {"email": email, "password": password, **fields})

    def sign_out(self) -> Page:
        return self.post(self.open("/account").form("/logout"))

    def ask_for_reset(self, email: str) -> Page:
        """Request an email to reset the password, also for a signed-in customer."""
        token = self.open("/password/reset").forms[0].token
        return self.send("/password/reset", "POST", data={"csrf_token": token, "email": email})

    @property
    def is_signed_in(self) -> bool:
        """Whether the account page is shown, and not a redirect to sign in."""
        page = self.send("/account")
        assert page.status in (200, 302)
        return page.status == 200
