"""The JSON API: a Flask application of its own beside the pages, without sessions, cookies and form tokens.

The API key alone identifies the caller. Every response under /api/ is JSON, errors included.
"""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH = "/api"


class ApiDispatcher:
    """WSGI middleware that sends requests under /api/ to the API, and all others to the pages.

    The API is created at its first request: not every shop uses it, and its libraries take an eighth of a start.
    """

    def __init__(self, pages: "WSGIApplication", create_api: "Callable[[], WSGIApplication]") -> None:
        self._pages = pages
        self._create_api = create_api
        self._api: WSGIApplication | None = None
        self._lock = Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Pass a request to the API or the pages."""
        path = environ.get("PATH_INFO", "")
        is_api = path == _PATH or path.startswith(_PATH + "/")
        return (self._created() if is_api else self._pages)(environ, start_response)

    def _created(self) -> "WSGIApplication":
        with self._lock:
            if self._api is None:
                self._api = self._create_api()
            return self._api
