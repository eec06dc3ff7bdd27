"""An HTTP client for forms that keeps the connection, the cookie and the CSRF token."""

import json
import re
from http.client import HTTPConnection
from time import perf_counter
from urllib.parse import urlencode

_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.7,cs;q=0.3",
    "Sec-Fetch-Site": "same-origin",
}


class Browser:
    """One kept-alive connection to a server on loopback.

    A form may be sent any number of times with the cookie and token of one `open`. Cookies of responses to forms are
    dropped, so that each request starts from the same state.
    """

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._origin = f"http://127.0.0.1:{port}"
        self._cookie = self._token = ""

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def get(self, path: str) -> tuple[str, str]:
        """Get a page without sending a cookie; return its text and its cookie."""
        self._connection.request("GET", path, headers=_HEADERS)
        response = self._connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, f"GET {path}: {response.status}"
        return text, (response.getheader("Set-Cookie") or "").partition(";")[0]

    def open(self, path: str) -> None:
        """Get a page, and keep its cookie and CSRF token for `send`."""
        text, self._cookie = self.get(path)
        found = _TOKEN.search(text)
        assert found, f"GET {path}: no token in the form"
        self._token = found[1]

    def send(self, path: str, expected: int, **fields: str) -> float:
        """Send the form and return the seconds until the whole response is read; its status must be `expected`."""
        body = urlencode({"csrf_token": self._token, **fields})
        headers = {
            **_HEADERS,
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": self._cookie,
            "Origin": self._origin,
        }
        start = perf_counter()
        self._connection.request("POST", path, body, headers)
        response = self._connection.getresponse()
        response.read()
        seconds = perf_counter() - start
        assert response.status == expected, f"POST {path}: {response.status} in place of {expected}"
        return seconds

    def call(self, path: str, key: str, **fields: str) -> None:
        """Call the API; the call must succeed."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self._connection.request("POST", path, json.dumps(fields), headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, f"POST {path}: {response.status}"
        assert json.loads(text)["success"], f"POST {path}: {text}"
