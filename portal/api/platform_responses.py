"""The platform errors in the OpenAPI description: one response for each status, shared by all endpoints."""

from portal.api.answers import PlatformError, validation_failed
from portal.api.errors import KEY_STATUS, key_error, platform_error
from portal.api.responses import Json, json_object
from portal.domain.use_cases.check_api_key import KeyProblem

PLATFORM_ERROR = json_object(
    {
        "error": json_object(
            {
                "code": {"type": "string", "description": "For programs.", "pattern": "^[A-Z_]+$"},
                "message": {"type": "string", "description": "What happened, for people."},
                "description": {"type": "string", "description": "What to do about it."},
                "fields": {
                    "type": "object",
                    "description": "What is wrong, by the name of the field.",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                },
                "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds to wait."},
            },
            ["code", "message", "description"],
        )
    },
    ["error"],
)
_RATE = {
    "X-RateLimit-Limit": "Requests that this key may make in a window; none for ROOT keys.",
    "X-RateLimit-Remaining": "How many of them are left.",
    "X-RateLimit-Reset": "When the window ends, in seconds since 1970-01-01 UTC.",
}
RATE_HEADERS: dict[str, Json] = {
    name: {"description": description, "schema": {"type": "integer"}} for name, description in _RATE.items()
}
_RETRY_HEADER: Json = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


_NAMES = {
    400: "BadRequest",
    403: "NoPermission",
    404: "KeyRefused",
    413: "TooLarge",
    415: "NotJson",
    422: "ValidationFailed",
    429: "RateLimitExceeded",
    500: "Fault",
    503: "Unavailable",
}
_NEEDS_BODY = frozenset({413, 415})
_COUNTED = frozenset({400, 403, 413, 415, 422, 429, 500, 503})
"""Statuses that a valid key can get; their responses have the rate limit headers."""


def platform_responses(*, has_body: bool) -> Json:
    """Return the responses that an endpoint shares with all others, as references by their statuses."""
    return {
        str(status): {"$ref": f"#/components/responses/{name}"}
        for status, name in _NAMES.items()
        if has_body or status not in _NEEDS_BODY
    }


def response_components() -> Json:
    """Return the shared responses, by the names of their references."""
    described: dict[int, tuple[str, list[PlatformError]]] = {
        400: ("Cannot be read: no JSON object, a repeated parameter, two different keys.", [_error(400)]),
        403: ("The key lacks the scope.", _key_errors(403)),
        404: ("The key is missing, malformed, unknown, expired or revoked.", _key_errors(404)),
        413: ("The body is larger than 64 KiB.", [_error(413)]),
        415: ("The body is not `application/json` in UTF-8.", [_error(415)]),
        422: ("Fields are missing, of the wrong type, malformed, too long or unknown.", [_INVALID]),
        429: ("The key's rate is reached.", _key_errors(429)),
        500: ("A fault of the portal.", [_error(500)]),
        503: ("Busy, or the database is away; nothing was changed.", [_error(503, retry_after=2)]),
    }
    return {
        _NAMES[status]: {
            "description": description,
            **_headers(status),
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/PlatformError"},
                    "examples": {error.problem.code: {"value": error.content()} for error in errors},
                }
            },
        }
        for status, (description, errors) in described.items()
    }


def _headers(status: int) -> Json:
    headers = (_rate_headers() if status in _COUNTED else {}) | (_RETRY_HEADER if status in (429, 503) else {})
    return {"headers": headers} if headers else {}


def _rate_headers() -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_HEADERS}


_INVALID = validation_failed({"email": ["This field is required."]})


def _error(status: int, *, retry_after: int | None = None) -> PlatformError:
    return platform_error(status, reference="5f3c9e0d7a1b2c4d", retry_after=retry_after)


def _key_errors(status: int) -> list[PlatformError]:
    return [
        key_error(problem, retry_after=30 if status == 429 else None)
        for problem in KeyProblem
        if KEY_STATUS.get(problem, 404) == status
    ]


ANSWER: dict[str, object] = {
    "description": "What is documented here, success and failure alike.",
    "headers": _rate_headers(),
}
"""The description and headers of every response with HTTP 200."""
