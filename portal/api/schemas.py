"""The requests of the API: names, kinds and meanings as the reference pages have them."""

from datetime import timedelta

from marshmallow import Schema

from portal.api.fields import Duration, Flag, Line, Lines, Reader, Secret
from portal.api.keys import current_caller
from portal.assembly import current_context
from portal.domain.addresses import is_customer_reference, parse_country, parse_email, parse_locale, parse_phone
from portal.domain.expiration import parse_expiration
from portal.domain.networks import parse_customer_ip
from portal.domain.return_urls import parse_return_url


def _reference(text: str) -> str:
    if not is_customer_reference(text):
        raise ValueError("This is not a customer reference number: 16 letters and digits.")
    return text


def _expiration(text: str) -> timedelta:
    return parse_expiration(text, current_context().rules.reset_lifetime_max)


def _return_url(text: str) -> str:
    return parse_return_url(text, current_caller().return_origins)


def _email() -> Line:
    return Line(
        parse_email,
        required=True,
        metadata={"description": "E-mail address. Answers give its normalised form.", "example": "ada@example.com"},
    )


def _line(name: str, description: str, example: str, *, reader: Reader | None = None) -> Line:
    return Line(reader, data_key=name, metadata={"description": description, "example": example})


def _token() -> Line:
    return Line(
        required=True,
        metadata={
            "description": "The token of the mailed link: what follows its last slash.",
            "example": "Hm2cDfmTS8x49Mo67gOxId8gEwNBwf1A.c2lnbmF0dXJlLW9mLXRoaXMtbGluaw",
        },
    )


def _identity_id() -> Line:
    return Line(
        data_key="identityId",
        required=True,
        metadata={
            "description": "What a sign-in gave: 32 letters and digits.",
            "example": "9jq49ZE1xoKI7S5ys4J0a70y3Xp2hQqc",
        },
    )


def _password(description: str) -> Secret:
    return Secret(required=True, metadata={"description": description, "example": "violet harbour kettle 41"})


def _customer_ip() -> Line:
    return Line(
        parse_customer_ip,
        data_key="customerRealIp",
        metadata={
            "description": "The customer's IP address, IPv4 or IPv6: limits are counted on its network. Empty, `::1`,"
            " `0.0.0.0` and `localhost` become `127.0.0.1`, which counts as not given.",
            "example": "192.0.2.10",
        },
    )


def _referral() -> Line:
    return Line(
        _reference,
        data_key="referralId",
        metadata={
            "description": "Customer reference number of who sent them; one that nobody has is ignored.",
            "example": "1cGIHvFoQDGLAbcA",
        },
    )


class LoginRequest(Schema):
    """Sign in with a password."""

    email = _email()
    password = _password("The customer's password, at most 256 characters.")
    customer_ip = _customer_ip()


class MagicAuthRequest(Schema):
    """Sign in on the caller's word."""

    email = _email()
    first_name = _line("firstName", "Kept when the contact is new.", "Ada")
    last_name = _line("lastName", "Kept when the contact is new.", "Quill")
    customer_ip = _customer_ip()
    referral = _referral()


class RegisterAccountRequest(Schema):
    """Register a customer, who confirms by mail."""

    email = _email()
    name = _line("name", "The whole name; without it the names below make it.", "Ada Quill")
    first_name = _line("firstName", "First name.", "Ada")
    last_name = _line("lastName", "Last name.", "Quill")
    phone = _line(
        "phone", "Number with its country code; stored as `+420 777123456`.", "+420 777123456", reader=parse_phone
    )
    company_name = _line("companyName", "Company.", "Quill & Sons")
    company_registration_number = _line(
        "companyRegistrationNumber", "Its number in the companies register.", "05000001"
    )
    tax_identification_number = _line("taxIdentificationNumber", "Its tax number.", "CZ05000001")
    street_address = _line("streetAddress", "Street and number.", "12 Harbour Road")
    city = _line("city", "City.", "Kladno")
    city_part = _line("cityPart", "Part of the city.", "Harbour")
    state_region = _line("stateRegion", "State or region.", "Central Bohemia")
    postal_code = _line("postalCode", "Postal code.", "272 01")
    country = _line("country", "Two-letter code, ISO 3166-1 alpha-2.", "CZ", reader=parse_country)
    newsletter = Flag(metadata={"description": "Whether the customer wants the newsletter.", "example": False})
    locale = _line("primaryLocale", "The customer's language, a BCP 47 tag.", "cs", reader=parse_locale)
    groups = Lines(
        metadata={
            "description": "Groups to put the customer into; only a key with the scope `groups` may, else they are"
            " ignored.",
            "example": ["wholesale"],
        }
    )
    customer_ip = _customer_ip()
    referral = _referral()
    password = _password("The password that the customer chose.")
    return_url = _line(
        "returnUrl",
        "Where the customer goes on after confirming: on one of the organisation's return origins.",
        "https://shop.example.com/welcome",
        reader=_return_url,
    )


class RegisterAccountVerifyRequest(Schema):
    """Confirm a registration by the token of the mailed link."""

    token = _token()


class ResetPasswordRequest(Schema):
    """Have a reset link mailed."""

    email = _email()
    lifetime = Duration(
        _expiration,
        data_key="expirationTime",
        metadata={
            "description": "How long the link works, such as `3h 20m`: from one minute to the portal's"
            " RESET_LIFETIME_MAX (24 hours unless the operator chose otherwise).",
            "example": "3h 20m",
        },
    )
    customer_ip = _customer_ip()


class SetNewPasswordRequest(Schema):
    """Set a password by the token of a reset link."""

    token = _token()
    password = _password("The new password.")
    customer_ip = _customer_ip()


class LogoutRequest(Schema):
    """End an identity."""

    identity_id = _identity_id()


class RedeemHandoverRequest(Schema):
    """Take a sign-in over."""

    code = Line(
        required=True,
        metadata={
            "description": "The code that the frame or the redirect brought; it works once, for 60 seconds.",
            "example": "Z9CPkS2o3UV163VQn5OUv0T8BQi8Fvdg",
        },
    )
    nonce = _line(
        "nonce",
        "What the shop's own page gave the frame or the link as `nonce`; none where it gave none.",
        "n-0S6_WzA2Mj",
    )


class AccountInfoRequest(Schema):
    """Ask who is signed in."""

    identity_id = _identity_id()
