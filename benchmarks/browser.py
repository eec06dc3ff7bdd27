"""An HTTP client for pages, forms and the API that keeps the connection, the cookies and the CSRF token."""

import re
import ssl
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from time import perf_counter
from urllib.parse import urlencode

_TOKEN = re.compile(r'name="(csrf_token|csrfmiddlewaretoken)"[^>]* value="([^"]+)"')
"""The field of Flask-WTF or of Django."""
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,cs;q=0.3",
    "Sec-Fetch-Site": "same-origin",
}


class Browser:
    """One kept-alive connection to a server on loopback.

    A form may be sent any number of times with the cookies and token of one `open`: cookies of other responses are
    dropped, so that each request starts from the same state.
    """

    def __init__(self, port: int, tls_host: str = "") -> None:
        """`tls_host` is the name of a host that a proxy on the port serves over TLS, with any certificate."""
        if tls_host:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._connection: HTTPConnection = HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
        else:
            self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._origin = f"https://{tls_host}" if tls_host else f"http://127.0.0.1:{port}"
        self._headers = {**_HEADERS, "Host": tls_host or f"127.0.0.1:{port}"}
        self._cookies: dict[str, str] = {}
        self._token: dict[str, str] = {}
        """The form's field with the CSRF token."""

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def forget(self, cookie: str) -> None:
        """Delete a cookie."""
        self._cookies.pop(cookie, None)

    def get(self, path: str, containing: str) -> float:
        """Get a page, which must contain a text, and return the seconds until the whole response is read."""
        start = perf_counter()
        _, text = self._get(path)
        seconds = perf_counter() - start
        assert containing in text, f"GET {path}: no {containing!r}"
        return seconds

    def open(self, path: str) -> None:
        """Get a page, and keep its cookies and, if it has a form, the CSRF token for `send`."""
        response, text = self._get(path)
        self._keep_cookies(response)
        found = _TOKEN.search(text)
        self._token = {found[1]: found[2]} if found else {}

    def log_in(self, email: str, password: str, path: str = "/login", email_field: str = "email") -> None:
        """Sign in, and keep the cookies."""
        self.open(path)
        response, _ = self._post(path, {email_field: email, "password": password})
        assert response.status == 302, f"POST {path}: {response.status} in place of 302"
        self._keep_cookies(response)

    def send(self, path: str, expected: int, target: str = "", containing: str = "", **fields: str) -> float:
        """Send the form and return the seconds until the whole response is read.

        Its status must be `expected`, its redirect lead to `target`, and its page contain a text.
        """
        start = perf_counter()
        response, body = self._post(path, fields)
        seconds = perf_counter() - start
        location = response.getheader("Location", "")
        assert (response.status, location if target else "") == (expected, target), (
            f"POST {path}: {response.status} {location} in place of {expected} {target}"
        )
        assert containing.encode() in body, f"POST {path}: no {containing!r}"
        return seconds

    def page_status(self, path: str, containing: str) -> int:
        """Get a page and return its status; with 200 it must contain a text."""
        response, body = self._request("GET", path)
        assert response.status != 200 or containing.encode() in body, f"GET {path}: no {containing!r}"
        return response.status

    def form_status(self, path: str, target: str, **fields: str) -> int:
        """Send the form and return the status of the response; a redirect must lead to `target`."""
        response, _ = self._post(path, fields)
        location = response.getheader("Location", target)
        assert location == target, f"POST {path}: {location} in place of {target}"
        return response.status

    def _get(self, path: str) -> tuple[HTTPResponse, str]:
        response, body = self._request("GET", path)
        assert response.status == 200, f"GET {path}: {response.status}"
        return response, body.decode()

    def _post(self, path: str, fields: dict[str, str]) -> tuple[HTTPResponse, bytes]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self._origin}
        return self._request("POST", path, urlencode({**self._token, **fields}), **headers)

    def _request(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[HTTPResponse, bytes]:
        self._connection.request(method, path, body, {**self._headers, **self._cookie_header(), **headers})
        response = self._connection.getresponse()
        return response, response.read()

    def _cookie_header(self) -> dict[str, str]:
        return (
            {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())} if self._cookies else {}
        )

    def _keep_cookies(self, response: HTTPResponse) -> None:
        for header in response.headers.get_all("Set-Cookie", []):
            name, _, value = header.partition(";")[0].partition("=")
            self._cookies[name] = value
