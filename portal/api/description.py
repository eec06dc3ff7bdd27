"""The description of the API in OpenAPI 3.1: what flask-smorest knows of the endpoints, and what all have in common."""

from copy import deepcopy
from typing import Any

from portal.api.answers import PlatformError, validation_failed
from portal.api.endpoints import SCOPE
from portal.api.errors import FAILURES, KEY_STATUS, key_error, platform_error
from portal.domain.api_access import KeyProblem

Json = dict[str, Any]

_ABOUT = """\
Sign-in, registration and password reset for the customers of one organisation, asked by the server of its shop.

Every request needs an API key, best as `Authorization: Bearer KEY`; `?apiKey=KEY` and a field `apiKey` in the JSON body
are taken too. The key decides which organisation is meant, and which endpoints it may use. It is a secret of your
server: never give it to a browser.

What an endpoint documents is answered with HTTP 200: look at `success`, and at `errorCode` where that is false.
Anything else is a platform error, with a status of its own.

Fields that are not described are ignored. Nothing is coerced: `"true"` is no boolean, and a number is no string. An
optional field that is null, or a text that is empty, counts as not given.
"""
_IDENTITY: Json = {
    "type": "string",
    "pattern": "^[A-Za-z0-9]{32}$",
    "description": "The identity: what signs the customer in, until it ends. Keep it as safe as a password.",
    "examples": ["w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"],
}
_ACCOUNT: Json = {
    "cuRefNo": {
        "type": "string",
        "pattern": "^[A-Za-z0-9]{16}$",
        "description": "Customer reference number.",
        "examples": ["7hQ2mVx9LpR4sTzK"],
    },
    "email": {"type": "string", "examples": ["ada@example.com"]},
    "phone": {"type": "string", "examples": ["+420 777123456"]},
    "firstName": {"type": "string", "examples": ["Ada"]},
    "lastName": {"type": "string", "examples": ["Quill"]},
    "companyName": {"type": "string", "examples": ["Quill & Sons"]},
    "premium": {"type": "boolean", "description": "Always false: this portal knows no premium customers."},
    "ban": {"type": "boolean", "description": "Always false: a ban ends every identity."},
    "creditBalance": {"type": "number", "description": "Always 0: this portal keeps no credit."},
}
_ALWAYS_TOLD = ["cuRefNo", "premium", "ban", "creditBalance"]


def _object(properties: Json, required: list[str]) -> Json:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _succeeded(properties: Json | None = None, optional: Json | None = None) -> Json:
    always = {"success": {"const": True}, **(properties or {})}
    return _object({**always, **(optional or {})}, [*always])


SUCCESSES: dict[str, Json] = {
    "login": _succeeded({"identityId": _IDENTITY}),
    "magic_auth": _succeeded({"identityId": _IDENTITY}),
    "register_account": _succeeded(),
    "register_account_verify": _succeeded(
        {"email": {"type": "string", "description": "The address that is confirmed.", "examples": ["ada@example.com"]}},
        {
            "returnUrl": {
                "type": "string",
                "description": "What the registration was given.",
                "examples": ["https://shop.example.com/welcome"],
            }
        },
    ),
    "reset_password": _succeeded(),
    "set_new_password": _succeeded(),
    "logout": _succeeded(),
    "redeem_handover": _succeeded({"identityId": _IDENTITY, "account": _object(_ACCOUNT, _ALWAYS_TOLD)}),
    "get_account_info": {
        "oneOf": [
            _object({"loggedIn": {"const": False}}, ["loggedIn"]),
            _object(
                {"loggedIn": {"const": True}, "identityId": _IDENTITY, **_ACCOUNT},
                ["loggedIn", "identityId", *_ALWAYS_TOLD],
            ),
        ]
    },
}
"""What each endpoint answers when it has done what was asked."""

_PLATFORM_ERROR = _object(
    {
        "error": _object(
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
_RATE_HEADERS: Json = {
    "X-RateLimit-Limit": ("Requests that this key may make in a window; none for ROOT keys.", {"type": "integer"}),
    "X-RateLimit-Remaining": ("How many of them are left.", {"type": "integer"}),
    "X-RateLimit-Reset": ("When the window ends, in seconds since 1970-01-01 UTC.", {"type": "integer"}),
}
_RETRY_HEADER: Json = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def describe(spec: Json, base_url: str) -> Json:
    """Complete what flask-smorest has found out."""
    found = deepcopy(spec)
    for operations in found["paths"].values():
        for operation in operations.values():
            _complete(operation)
    return {
        "openapi": found["openapi"],
        "info": {**found["info"], "summary": "The customers of a shop or service.", "description": _ABOUT},
        "servers": [{"url": base_url}],
        "security": [{"bearer": []}, {"query": []}],
        "tags": [{"name": "customer", "description": "Customers and their identities."}],
        "paths": found["paths"],
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The API key. To be preferred."},
                "query": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "apiKey",
                    "description": "The API key, where no header can be set. Addresses end up in logs: the portal's own"
                    " does not keep it, others on the way may.",
                },
            },
            "schemas": {**_requests(found), "PlatformError": _PLATFORM_ERROR},
            "responses": _responses(),
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in _RATE_HEADERS.items()
            },
        },
    }


def failures_of(endpoint: str) -> dict[str, str]:
    """The codes and messages that an endpoint tells its failures by, in the order of the codes."""
    told = {failure.value.code: failure.value.message for failure in FAILURES.get(endpoint, ())}
    return dict(sorted(told.items()))


def _requests(found: Json) -> Json:
    schemas: Json = found["components"]["schemas"]  # those of flask-smorest's own among them
    requests = {name: schema for name, schema in schemas.items() if name.endswith("Request")}
    for schema in requests.values():
        for field in schema["properties"].values():
            if field.get("default", True) is None:
                del field["default"]  # not given is not given
    return requests


def _complete(operation: Json) -> None:
    endpoint, scope = operation["operationId"], operation[SCOPE]
    failures = failures_of(endpoint)
    answers = [SUCCESSES[endpoint], *([_failed(failures)] if failures else [])]
    operation["description"] = f"Needs a key with the scope `{scope}`." + _table(failures)
    operation["responses"] = {
        "200": {
            "description": "What is documented here, success and failure alike.",
            "headers": _rate_headers(),
            "content": {"application/json": {"schema": answers[0] if len(answers) == 1 else {"oneOf": answers}}},
        },
        **{str(status): {"$ref": f"#/components/responses/{_NAMES[status]}"} for status in _STATUSES},
    }
    if "requestBody" not in operation:
        for status in ("413", "415"):
            del operation["responses"][status]


def _failed(failures: dict[str, str]) -> Json:
    return _object(
        {
            "success": {"const": False},
            "errorCode": {"enum": list(failures)},
            "message": {"enum": list(dict.fromkeys(failures.values()))},
            "detail": {"type": "string", "description": "More, in English, where there is more to say."},
        },
        ["success", "errorCode", "message"],
    )


def _table(failures: dict[str, str]) -> str:
    if not failures:
        return ""
    rows = "".join(f"| {code} | {message} |\n" for code, message in failures.items())
    return f"\n\n| errorCode | message |\n|---|---|\n{rows}"


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
_STATUSES = tuple(_NAMES)
_COUNTED = frozenset({400, 403, 413, 415, 422, 429, 500, 503})
"""Statuses of answers to a good key: they tell where it stands in its rate."""


def _responses() -> Json:
    described: dict[int, tuple[str, list[PlatformError]]] = {
        400: ("Cannot be read: no JSON object, a repeated parameter, two different keys.", [_plain(400)]),
        403: ("The key lacks the scope.", _keys(403)),
        404: ("The key is missing, malformed, unknown, expired or revoked.", _keys(404)),
        413: ("The body is larger than 64 KiB.", [_plain(413)]),
        415: ("The body is not `application/json` in UTF-8.", [_plain(415)]),
        422: ("Fields are missing, of the wrong type, malformed, too long or unknown.", [_INVALID]),
        429: ("The key's rate is reached.", _keys(429)),
        500: ("A fault of the portal.", [_plain(500)]),
        503: ("Busy, or the database is away; nothing was changed.", [_plain(503, retry_after=2)]),
    }
    return {
        _NAMES[status]: {
            "description": description,
            **_headers(status),
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/PlatformError"},
                    "examples": {error.code: {"value": error.content()} for error in errors},
                }
            },
        }
        for status, (description, errors) in described.items()
    }


def _headers(status: int) -> Json:
    headers = (_rate_headers() if status in _COUNTED else {}) | (_RETRY_HEADER if status in (429, 503) else {})
    return {"headers": headers} if headers else {}


def _rate_headers() -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}


_INVALID = validation_failed({"email": ["This field is required."]})


def _plain(status: int, *, retry_after: int | None = None) -> PlatformError:
    return platform_error(status, reference="5f3c9e0d7a1b2c4d", retry_after=retry_after)


def _keys(status: int) -> list[PlatformError]:
    return [
        key_error(problem, retry_after=30 if status == 429 else None)
        for problem in KeyProblem
        if KEY_STATUS.get(problem, 404) == status
    ]
