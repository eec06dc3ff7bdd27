"""A valid body for each endpoint, and values of each JSON type."""

from typing import Any

from tests.web.conftest import PASSWORD

FULL: dict[str, Any] = {
    "email": "ada@example.com",
    "name": "Ada Quill",
    "firstName": "Ada",
    "lastName": "Quill",
    "phone": "+420 777123456",
    "companyName": "Quill & Sons",
    "companyRegistrationNumber": "05000001",
    "taxIdentificationNumber": "CZ05000001",
    "streetAddress": "Přístavní 12",
    "city": "Kladno",
    "cityPart": "Kročehlavy",
    "stateRegion": "Středočeský kraj",
    "postalCode": "272 01",
    "country": "CZ",
    "newsletter": True,
    "primaryLocale": "cs",
    "groups": ["wholesale"],
    "customerRealIp": "192.0.2.10",
    "referralId": "7hQ2mVx9LpR4sTzK",
    "password": PASSWORD,
    "returnUrl": "https://shop.example.com/welcome",
}
REQUIRED = {"email", "password"}
TEXT_FIELDS = sorted(FULL.keys() - {"newsletter", "groups"})
LINES = sorted(set(TEXT_FIELDS) - {"password"})
ENDPOINTS: dict[str, dict[str, Any]] = {
    "login": {"email": "ada@example.com", "password": PASSWORD, "customerRealIp": "192.0.2.10"},
    "magic-auth": {
        "email": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Quill",
        "customerRealIp": "192.0.2.10",
        "referralId": "7hQ2mVx9LpR4sTzK",
    },
    "register-account": FULL,
    "register-account-verify": {"token": "token"},
    "reset-password": {"email": "ada@example.com", "expirationTime": "3h 20m", "customerRealIp": "192.0.2.10"},
    "set-new-password": {"token": "token", "password": PASSWORD, "customerRealIp": "192.0.2.10"},
    "logout": {"identityId": "w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f"},
    "redeem-handover": {"code": "r7YcN2kVb5HsQx0TzL9mWd4pGe8uJa3f", "nonce": "Zc5mVbR0wq7TnYkE2dLxHg"},
}
NEEDED = {
    "login": {"email", "password"},
    "magic-auth": {"email"},
    "register-account": {"email", "password"},
    "register-account-verify": {"token"},
    "reset-password": {"email"},
    "set-new-password": {"token", "password"},
    "logout": {"identityId"},
    "redeem-handover": {"code", "nonce"},
}
KINDS: dict[str, Any] = {
    "number": 7,
    "zero": 0,
    "fraction": 1.5,
    "true": True,
    "false": False,
    "list": ["a"],
    "empty list": [],
    "object": {"a": "b"},
    "empty object": {},
    "text": "true",
}
FREE = (
    "name",
    "firstName",
    "lastName",
    "companyName",
    "companyRegistrationNumber",
    "taxIdentificationNumber",
    "streetAddress",
    "city",
    "cityPart",
    "stateRegion",
    "postalCode",
)
