"""What all platform errors of the API have in common."""

from tests.api.shop import Answer
from tests.web.conftest import PASSWORD
from tests.web.expectations import HEADERS

EMAIL = "ada@example.com"
LOGIN = {"email": EMAIL, "password": PASSWORD}
CODES = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "CONTENT_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


def assert_platform_error(answer: Answer, status: int) -> None:
    """Check a platform error (docs/api.md)."""
    assert (answer.status, answer.code) == (status, CODES[status])
    error = answer.json["error"]
    assert answer.json.keys() == {"error"}
    assert error.keys() <= {"code", "message", "description", "fields", "retry_after"}
    assert all(isinstance(error[name], str) and error[name] for name in ("code", "message", "description"))
    assert_api_headers(answer)


def assert_api_headers(answer: Answer) -> None:
    for name, value in HEADERS.items():
        assert answer.headers.getlist(name) == [value], name
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    names = {name.lower() for name, _ in answer.headers}
    assert not names & {"set-cookie", "vary", "server", "content-language", "location"}
    assert not [name for name in names if name.startswith("access-control-")]
