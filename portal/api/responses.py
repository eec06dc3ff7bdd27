"""JSON Schemas of the responses with HTTP 200, which the endpoints declare (v1.py)."""

from collections.abc import Sequence
from typing import Any

from portal.domain.errors import Failure
from portal.domain.values.customer_reference import CUSTOMER_REFERENCE

Json = dict[str, Any]


def json_object(properties: Json, required: list[str]) -> Json:
    """Return the schema of an object that has these properties and no others."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _success(properties: Json | None = None, optional: Json | None = None) -> Json:
    always = {"success": {"const": True}, **(properties or {})}
    return json_object({**always, **(optional or {})}, [*always])


_IDENTITY_ID: Json = {
    "type": "string",
    "pattern": "^[A-Za-z0-9]{32}$",
    "description": "The identity: what signs the customer in, until it ends. Keep it as safe as a password.",
    "examples": ["w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"],
}
_ACCOUNT: Json = {
    "cuRefNo": {
        "type": "string",
        "pattern": f"^{CUSTOMER_REFERENCE}$",
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
_ALWAYS_PRESENT = ["cuRefNo", "premium", "ban", "creditBalance"]

DONE = _success()
IDENTITY = _success({"identityId": _IDENTITY_ID})
IDENTITY_AND_ACCOUNT = _success({"identityId": _IDENTITY_ID, "account": json_object(_ACCOUNT, _ALWAYS_PRESENT)})
CONFIRMED = _success(
    {"email": {"type": "string", "description": "The address that is confirmed.", "examples": ["ada@example.com"]}},
    {
        "returnUrl": {
            "type": "string",
            "description": "What the registration was given.",
            "examples": ["https://shop.example.com/welcome"],
        }
    },
)
ACCOUNT_INFO: Json = {
    "oneOf": [
        json_object({"loggedIn": {"const": False}}, ["loggedIn"]),
        json_object(
            {"loggedIn": {"const": True}, "identityId": _IDENTITY_ID, **_ACCOUNT},
            ["loggedIn", "identityId", *_ALWAYS_PRESENT],
        ),
    ]
}


def messages_of(failures: Sequence[Failure]) -> dict[str, str]:
    """Return the messages of failures by their codes, in the order of the codes."""
    return dict(sorted({failure.value.code: failure.value.message for failure in failures}.items()))


def answer_schema(success: Json, failures: Sequence[Failure]) -> Json:
    """Return the schema of an endpoint's responses with HTTP 200."""
    if not failures:
        return success
    messages = messages_of(failures)
    failed = json_object(
        {
            "success": {"const": False},
            "errorCode": {"enum": list(messages)},
            "message": {"enum": list(dict.fromkeys(messages.values()))},
            "detail": {"type": "string", "description": "More, in English, where there is more to say."},
        },
        ["success", "errorCode", "message"],
    )
    return {"oneOf": [success, failed]}
