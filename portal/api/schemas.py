"""The requests of the API, with the field names and meanings of the reference API."""

from datetime import timedelta

from marshmallow import EXCLUDE, Schema

from portal.api.fields import Duration, Flag, Line, Lines, Reader, Secret
from portal.api.keys import current_caller
from portal.app import current_context
from portal.domain.return_urls import parse_return_url
from portal.domain.values.country import COUNTRIES, parse_country
from portal.domain.values.customer_reference import CUSTOMER_REFERENCE, is_customer_reference
from portal.domain.values.durations import parse_expiration
from portal.domain.values.email import parse_email
from portal.domain.values.ip_addresses import parse_customer_ip
from portal.domain.values.locale import LANGUAGE_TAG, parse_locale
from portal.domain.values.phone import parse_phone

_IP: list[dict[str, object]] = [
    {"type": "string", "format": "ipv4"},
    {"type": "string", "format": "ipv6"},
    {"enum": ["", "localhost", None]},
]


def _line(name: str, description: str, example: str, reader: Reader | None = None, **shape: object) -> Line:
    """Return an optional line of text."""
    return Line(reader, data_key=name, metadata={"description": description, "examples": [example], **shape})


def _required(name: str, description: str, example: str, reader: Reader | None = None, **shape: object) -> Line:
    """Return a required line of text."""
    metadata = {"description": description, "examples": [example], **shape}
    return Line(reader, data_key=name, required=True, metadata=metadata)


def _email() -> Line:
    return _required(
        "email",
        "E-mail address. Answers give its normalised form. The part before the @ must be ASCII.",
        "ada@example.com",
        parse_email,
        format="email",
        maxLength=254,
    )


def _password(description: str) -> Secret:
    return Secret(required=True, metadata={"description": description, "examples": ["violet harbour kettle 41"]})


def _customer_ip() -> Line:
    return _line(
        "customerRealIp",
        "The customer's IP address, IPv4 or IPv6: limits are counted on its network, and one that the customer signed"
        " in from before has limits of its own. Empty, `::1`, `0.0.0.0` and"
        " `localhost` become `127.0.0.1`, which counts as not given.",
        "192.0.2.10",
        parse_customer_ip,
        anyOf=_IP,
    )


def _reference(text: str) -> str:
    if not is_customer_reference(text):
        raise ValueError("This is not a customer reference number: 16 letters and digits.")
    return text


def _referral() -> Line:
    return _line(
        "referralId",
        "Customer reference number of the customer who recommended the shop; an unknown one is ignored.",
        "7hQ2mVx9LpR4sTzK",
        _reference,
        pattern=f"^({CUSTOMER_REFERENCE})?$",
    )


def _token() -> Line:
    return _required(
        "token",
        "The token of the emailed link: what follows its last slash.",
        "k9TzR4bWq2LxM7sYcV0pHd5nJe8uGa3f.b5nXw1QyT6vKzP8cRm2LsD9hJ4gFa7eU0iOoVrNtYkE",
    )


def _identity_id() -> Line:
    return _required("identityId", "What a sign-in gave: 32 letters and digits.", "w3Ks8Pz0QeYt5LrB7uNxC1mVdG6hJa2f")


def _expiration(text: str) -> timedelta:
    return parse_expiration(text, current_context().rules.reset_lifetime_max)


def _return_url(text: str) -> str:
    return parse_return_url(text, current_caller().return_origins)


class Request(Schema):
    """The fields of a request; other fields are ignored."""

    class Meta:
        unknown = EXCLUDE


class LoginRequest(Request):
    """Sign in with a password."""

    email = _email()
    password = _password("The customer's password.")
    otp = _line(
        "otp",
        "Code of the customer's authenticator app, or a recovery code: for a customer who has two-step verification,"
        " as `detail` says (`two-step-required`, `two-step-wrong`).",
        "287082",
    )
    customer_ip = _customer_ip()


class MagicAuthRequest(Request):
    """Sign a customer in whose mailbox the caller has verified."""

    email = _email()
    first_name = _line("firstName", "First name; kept when the contact is new.", "Ada")
    last_name = _line("lastName", "Last name; kept when the contact is new.", "Quill")
    customer_ip = _customer_ip()
    referral = _referral()


class RegisterAccountRequest(Request):
    """Register a customer, who confirms by email."""

    email = _email()
    name = _line("name", "The whole name; without it first and last name make it.", "Ada Quill")
    first_name = _line("firstName", "First name.", "Ada")
    last_name = _line("lastName", "Last name.", "Quill")
    phone = _line(
        "phone",
        "Phone number with its country code; stored as `+420 777123456`.",
        "+420 777123456",
        parse_phone,
        format="phone",
    )
    company_name = _line("companyName", "Company.", "Quill & Sons")
    company_registration_number = _line(
        "companyRegistrationNumber", "Its number in the companies register.", "05000001"
    )
    tax_identification_number = _line("taxIdentificationNumber", "Its tax number.", "CZ05000001")
    street_address = _line("streetAddress", "Street and number.", "Harbour Road 12")
    city = _line("city", "City.", "Kladno")
    city_part = _line("cityPart", "Part of the city.", "Harbour")
    state_region = _line("stateRegion", "State or region.", "Central Bohemia")
    postal_code = _line("postalCode", "Postal code.", "272 01")
    country = _line(
        "country", "Country by ISO 3166-1 alpha-2.", "CZ", parse_country, enum=[*sorted(COUNTRIES), "", None]
    )
    newsletter = Flag(
        load_default=False, metadata={"description": "Whether the customer wants the newsletter.", "examples": [False]}
    )
    locale = _line(
        "primaryLocale",
        "The customer's language, a BCP 47 tag.",
        "cs",
        parse_locale,
        pattern=f"^({LANGUAGE_TAG})?$",
        maxLength=35,
    )
    groups = Lines(
        metadata={
            "description": "Groups to put the customer into. They are ignored of a key without the scope `groups`.",
            "examples": [["wholesale"]],
        }
    )
    customer_ip = _customer_ip()
    referral = _referral()
    password = _password("The password that the customer chose.")
    return_url = _line(
        "returnUrl",
        "Where to redirect the customer after the confirmation: a page on one of the organisation's return origins.",
        "https://shop.example.com/welcome",
        _return_url,
        anyOf=[{"type": "string", "format": "uri"}, {"enum": ["", None]}],
    )


class RegisterAccountVerifyRequest(Request):
    """Confirm a registration by the token of the emailed link."""

    token = _token()


class ResetPasswordRequest(Request):
    """Email a reset link."""

    email = _email()
    lifetime = Duration(
        _expiration,
        data_key="expirationTime",
        metadata={
            "description": "How long the link works, such as `3h 20m`: terms of a number and a unit (s, m, h, d, w)."
            " From one minute to the portal's RESET_LIFETIME_MAX: 24 hours, unless the operator chose otherwise.",
            "examples": ["3h 20m"],
            "format": "human-duration",
            "maxLength": 64,
            "minLength": 1,
        },
    )
    customer_ip = _customer_ip()


class SetNewPasswordRequest(Request):
    """Set a password by the token of a reset link."""

    token = _token()
    password = _password("The new password.")
    customer_ip = _customer_ip()


class LogoutRequest(Request):
    """End an identity."""

    identity_id = _identity_id()


class RedeemHandoverRequest(Request):
    """Redeem a hand-over code."""

    code = _required(
        "code",
        "The code that the frame or the redirect brought; it works once, for 60 seconds.",
        "r7YcN2kVb5HsQx0TzL9mWd4pGe8uJa3f",
    )
    nonce = _required(
        "nonce",
        "What the shop's own page gave the frame or the link as `nonce`: 22 to 128 letters, digits, `_` and `-`. Take"
        " it from the visitor's session at the shop, never from the request that brought the code.",
        "Zc5mVbR0wq7TnYkE2dLxHg",
    )


class AccountInfoRequest(Request):
    """Get the signed-in customer."""

    identity_id = _identity_id()
