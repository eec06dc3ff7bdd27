"""Responses of the API: documented results with HTTP 200, and platform errors with their own status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Response, make_response

FieldErrors = Mapping[str, Sequence[str]]
"""The messages of each wrong field, by its name in the request."""


@dataclass(frozen=True)
class Problem:
    """The status, code and texts of a platform error (docs/api.md)."""

    status: int
    code: str
    message: str
    description: str


BAD_REQUEST = Problem(400, "BAD_REQUEST", "The request cannot be read.", "Look at its address, headers and body.")
VALIDATION_FAILED = Problem(
    422,
    "VALIDATION_FAILED",
    "Some fields cannot be used.",
    "Mend the fields that are named here and send the request again.",
)


class PlatformError(Exception):
    """A request without a documented result."""

    def __init__(
        self,
        problem: Problem,
        *,
        fields: FieldErrors | None = None,
        retry_after: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.fields = fields
        self.retry_after = retry_after
        self.allow = allow

    def content(self) -> dict[str, object]:
        """Return the body of the response."""
        error: dict[str, object] = {
            "code": self.problem.code,
            "message": self.problem.message,
            "description": self.problem.description,
        }
        if self.fields is not None:
            error["fields"] = self.fields
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"error": error}

    def answer(self) -> Response:
        """Return the response with its status and headers."""
        response = answer(self.content())
        response.status_code = self.problem.status
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        if self.allow is not None:
            response.headers["Allow"] = self.allow
        return response


def bad_request(description: str) -> PlatformError:
    """Return the error of a request that cannot be parsed."""
    return PlatformError(replace(BAD_REQUEST, description=description))


def validation_failed(fields: FieldErrors) -> PlatformError:
    """Return the error of a request with wrong fields."""
    return PlatformError(VALIDATION_FAILED, fields=fields)


def answer(content: Mapping[str, object]) -> Response:
    """Return JSON with HTTP 200."""
    return make_response(dict(content))


def success(**content: object) -> Response:
    """Return a successful result, without the values that are None."""
    return answer({"success": True, **{name: value for name, value in content.items() if value is not None}})
