"""All rate limits of the domain (docs/security.md#limits).

| what                       | scope                   | counted on                | limit                    |
|----------------------------|-------------------------|---------------------------|--------------------------|
| wrong passwords            | login-network/account   | network, address          | LOGIN_LIMIT_*            |
| … from a known device      | login-device            | device instead            | LOGIN_LIMIT_ACCOUNT      |
| magic auth: refused, first | vouched-network/account | network, address          | LOGIN_LIMIT_*            |
| tokens never issued        | link                    | network                   | LOGIN_LIMIT_NETWORK      |
| codes of the second step   | two-step-network/account| network, customer         | LOGIN_LIMIT_*            |
| … from a known device      | two-step-device         | device instead            | LOGIN_LIMIT_ACCOUNT      |
| recovery codes             | recovery-network        | network                   | LOGIN_LIMIT_NETWORK      |
| … from a known device      | recovery-device         | device instead            | LOGIN_LIMIT_ACCOUNT      |
| passkeys                   | passkey-network         | network                   | LOGIN_LIMIT_NETWORK      |
| … from a known device      | passkey-device          | device instead            | LOGIN_LIMIT_ACCOUNT      |
| passwords used before      | new-password            | contact                   | LOGIN_LIMIT_ACCOUNT      |
| registrations              | register                | network                   | REGISTER_LIMIT_NETWORK   |
| requested emails           | mail-network/address    | network, address          | MAIL_LIMIT_*             |
| … from a known device      | mail-device             | device instead            | MAIL_LIMIT_ADDRESS       |
| emails of registrations    | register-address        | address (network: above)  | MAIL_LIMIT_ADDRESS       |
| the last email of an hour  | …-address-reserve       | address                   | 1 per window of these    |
| hand-over codes            | handover                | contact                   | 100 per 10 minutes       |
| API keys that do not exist | api-key                 | network of the connection | LOGIN_LIMIT_NETWORK      |

A known browser of the customer (devices.py) is counted on its own limit only, so that neither an attacker nor others in
its network can lock the customer out. Behind a shop's server the device is the network, which is no secret, so the
network's limit applies too.

Beyond its limit, an address gets one more email per window, for a network that had not requested one: an attacker in
one network cannot keep emails from the customer.

The request rates (of API keys, forms, and password checks while typing) are Flask-Limiter's: they are declared in
portal/extensions.py and applied to the views.

Unknown addresses are counted as known ones are. Every key starts with the organisation, so organisations do not affect
each other. If a shop's server does not report its customer's IP address, no network is counted (Visitor.network).
"""

from collections.abc import Sequence

from limits import RateLimitItem, RateLimitItemPerMinute

from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.devices import KnownDevice
from portal.domain.errors import Failure, Refused
from portal.domain.rate_limiter import Attempt, RateLimit, RateLimitExceeded, Reserve

_HANDOVER_LIMIT = RateLimitItemPerMinute(100, 10)


def password_limits(context: Context, visitor: Visitor, key: str, device: KnownDevice | None) -> list[RateLimit]:
    """Return the limits of password checks; login, change of password and confirmation share the counters."""
    of_account = account_limit(context, visitor, key) if device is None else device_limit(context, device)
    if device is not None and not visitor.via_api:
        return [of_account]
    return [*_network_limits("login-network", context.rules.login_limit_network, visitor), of_account]


def account_limit(context: Context, visitor: Visitor, key: str) -> RateLimit:
    """Return the limit of password checks for an address."""
    return RateLimit("login-account", context.rules.login_limit_account, (str(visitor.organisation_id), key))


def device_limit(context: Context, device: KnownDevice) -> RateLimit:
    """Return the limit of password checks for a known device."""
    return RateLimit("login-device", context.rules.login_limit_account, (str(device.id),))


def second_step_limits(
    context: Context, visitor: Visitor, contact_id: int, device: KnownDevice | None
) -> list[RateLimit]:
    """Return the limits of codes of an authenticator app, with the scopes of `password_limits`."""
    limit = context.rules.login_limit_account
    if device is None:
        of_account = RateLimit("two-step-account", limit, (str(contact_id),))
    else:
        of_account = RateLimit("two-step-device", limit, (str(device.id),))
        if not visitor.via_api:
            return [of_account]
    return [*_network_limits("two-step-network", context.rules.login_limit_network, visitor), of_account]


def recovery_code_limits(
    context: Context, visitor: Visitor, contact_id: int, device: KnownDevice | None
) -> list[RateLimit]:
    """Return the limits of recovery codes.

    None of them is per account, so that an attacker who knows the password cannot block the customer's own codes;
    unless a shop's server does not report the network.
    """
    if device is not None and not visitor.via_api:
        return [RateLimit("recovery-device", context.rules.login_limit_account, (str(device.id),))]
    of_network = _network_limits("recovery-network", context.rules.login_limit_network, visitor)
    return of_network or [RateLimit("recovery-account", context.rules.login_limit_account, (str(contact_id),))]


def passkey_limits(context: Context, visitor: Visitor, device: KnownDevice | None) -> list[RateLimit]:
    """Return the limits of passkeys.

    None of them is per account: a signature cannot be guessed, and an attacker must not be able to block the customer's
    own passkeys.
    """
    if device is not None:
        return [RateLimit("passkey-device", context.rules.login_limit_account, (str(device.id),))]
    return _network_limits("passkey-network", context.rules.login_limit_network, visitor)


def magic_auth_limits(context: Context, visitor: Visitor, key: str) -> list[RateLimit]:
    """Return the limits of magic auth: of refused sign-ins, and of the first one of a new contact.

    They have their own counters, so that an attacker's wrong passwords never block magic auth for the customer.
    """
    return [
        *_network_limits("vouched-network", context.rules.login_limit_network, visitor),
        RateLimit("vouched-account", context.rules.login_limit_account, (str(visitor.organisation_id), key)),
    ]


def link_limits(context: Context, visitor: Visitor) -> list[RateLimit]:
    """Return the limits of tokens that were never issued."""
    return _network_limits("link", context.rules.login_limit_network, visitor)


def new_password_limits(context: Context, contact_id: int) -> list[RateLimit]:
    """Return the limits of refusals "used before" of a reset link: they reveal something about a former password.

    They have their own counter, so that wrong passwords at the login never block a reset.
    """
    return [RateLimit("new-password", context.rules.login_limit_account, (str(contact_id),))]


def handover_limits(contact_id: int) -> list[RateLimit]:
    """Return the limits of hand-over codes, each of which is a row that is stored for a day."""
    return [RateLimit("handover", _HANDOVER_LIMIT, (str(contact_id),))]


def registration_limits(context: Context, visitor: Visitor) -> list[RateLimit]:
    return _network_limits("register", context.rules.register_limit_network, visitor)


def email_limits(context: Context, visitor: Visitor, key: str, device: KnownDevice | None) -> list[RateLimit]:
    """Return the limits of emails with a link (reset, sign-in) that any visitor can request.

    Security notices are never counted.
    """
    if device is None:
        return _email_limits(context, visitor, "mail-address", key)
    of_device = RateLimit("mail-device", context.rules.mail_limit_address, (str(device.id),))
    if not visitor.via_api:
        return [of_device]
    return [*_network_limits("mail-network", context.rules.mail_limit_network, visitor), of_device]


def registration_email_limits(context: Context, visitor: Visitor, key: str) -> list[RateLimit]:
    """Return the limits of registration emails: counted apart, so that they never use up sign-in and reset emails."""
    return _email_limits(context, visitor, "register-address", key)


def _email_limits(context: Context, visitor: Visitor, scope: str, key: str) -> list[RateLimit]:
    limit, of_address = context.rules.mail_limit_address, (str(visitor.organisation_id), key)
    return [
        *_network_limits("mail-network", context.rules.mail_limit_network, visitor),
        RateLimit(scope, limit, of_address, reserve=_last_mail(scope, limit, of_address, visitor.network)),
    ]


def _last_mail(scope: str, limit: RateLimitItem, of_address: tuple[str, ...], network: str | None) -> Reserve | None:
    """Return the reserve of one email per window; None without a network, which all customers of a shop would share."""
    if network is None:
        return None
    return Reserve(
        visits=RateLimit(f"{scope}-visits", limit, (*of_address, network)),
        tries=RateLimit(f"{scope}-reserve", type(limit)(1, limit.multiples), of_address),
    )


def _network_limits(scope: str, limit: RateLimitItem, visitor: Visitor) -> list[RateLimit]:
    return [] if visitor.network is None else [RateLimit(scope, limit, (str(visitor.organisation_id), visitor.network))]


def api_key_limit(context: Context, network: str) -> RateLimit:
    """Return the limit of API keys that do not exist; it has no organisation."""
    return RateLimit("api-key", context.rules.login_limit_network, (network,))


def attempt(
    context: Context, visitor: Visitor, limits: Sequence[RateLimit], kind: EventKind, failure: Failure
) -> Attempt:
    """Count an attempt before the work that it limits; the work is done in its block and may give it back.

    Raises Refused(failure) with the time to wait if a limit is exceeded. Only the first refusal per window is recorded
    as an event of `kind`, so that a flood of attempts is not a flood of rows.
    """
    try:
        return context.rate_limiter.attempt(limits)
    except RateLimitExceeded as exceeded:
        if exceeded.is_first:
            with context.database.write() as connection:
                record(connection, visitor, kind, contact_id=None, now=context.clock(), refusal=failure)
        raise Refused(failure, retry_after=exceeded.retry_after) from None
