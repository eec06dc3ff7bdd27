"""What the API answers: documented results with HTTP 200, and platform errors with the status that they name."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, make_response

Fields = Mapping[str, Sequence[str]]
"""What is wrong, by the name of the field as it is sent."""


class PlatformError(Exception):
    """A request that comes to no documented result: what is told of it, in which status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        description: str,
        *,
        fields: Fields | None = None,
        retry_after: int | None = None,
        allow: str | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.description = description
        self.fields = fields
        self.retry_after = retry_after
        self.allow = allow

    def content(self) -> dict[str, Any]:
        """What is told."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "description": self.description}
        if self.fields is not None:
            error["fields"] = self.fields
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
        return {"error": error}

    def answer(self) -> Response:
        """The answer to the request."""
        response = answer(self.content())
        response.status_code = self.status
        if self.retry_after is not None:
            response.headers["Retry-After"] = str(self.retry_after)
        if self.allow is not None:
            response.headers["Allow"] = self.allow
        return response


def bad_request(description: str) -> PlatformError:
    """A request that cannot be read."""
    return PlatformError(400, "BAD_REQUEST", "The request cannot be read.", description)


def validation_failed(fields: Fields) -> PlatformError:
    """A request with fields that cannot be used."""
    description = "Mend the fields that are named here and send the request again."
    return PlatformError(422, "VALIDATION_FAILED", "Some fields cannot be used.", description, fields=fields)


def answer(content: Mapping[str, Any]) -> Response:
    """JSON, HTTP 200."""
    return make_response(dict(content))


def success(**content: Any) -> Response:
    """What was asked for was done; a value that is None is left out."""
    return answer({"success": True, **{name: value for name, value in content.items() if value is not None}})
