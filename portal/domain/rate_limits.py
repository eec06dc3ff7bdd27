"""Every limit there is: what is counted, on whom (docs/security.md#limits).

| what                       | scope                 | counted on                | limit                    |
|----------------------------|-----------------------|---------------------------|--------------------------|
| wrong passwords            | login-network/account | network, address          | LOGIN_LIMIT_*            |
| … from a known device      | login-device          | device, in their place    | LOGIN_LIMIT_ACCOUNT      |
| vouched: refused, or first  | vouched-network/account | network, address        | LOGIN_LIMIT_*            |
| tokens never issued        | link                  | network                   | LOGIN_LIMIT_NETWORK      |
| passwords used before      | new-password          | contact                   | LOGIN_LIMIT_ACCOUNT      |
| registrations              | register              | network                   | REGISTER_LIMIT_NETWORK   |
| mails that somebody asks   | mail-network/address  | network, address          | MAIL_LIMIT_*             |
| … from a known device      | mail-device           | device, in their place    | MAIL_LIMIT_ADDRESS       |
| mails of registrations     | register-address      | address (network: above)  | MAIL_LIMIT_ADDRESS       |
| the last mail of an hour   | …-address-reserve     | address                   | 1 in the window of these |
| hand-over codes            | handover              | contact                   | 100 per 10 minutes       |
| API keys that do not exist | api-key               | network of the connection | LOGIN_LIMIT_NETWORK      |

A browser that this customer signed in with before (devices.py) is counted by itself alone, so that neither strangers
nor others in its network keep the owner out. What it may do is bounded by its own limit: it needs no network's beside.
Behind a shop's server the network is the device, and no secret: its own limit counts as for everybody.

Past its limit, an address gets one mail more in that hour, for a network that had not asked for it: a stranger in one
network does not keep the owner out.

The rates of HTTP requests (of an API key, of forms, of passwords that are being typed) are Flask-Limiter's: they stand
beside the views, and are declared in portal/extensions.py.

Unknown addresses count as known ones do. Every key begins with the organisation: nothing crosses over. Where a shop's
server says nothing of its customer's network, none is counted (context.py, Visitor.network).
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
    """For every check of a password: one counter for login, change of password and confirmation."""
    of_account = account_limit(context, visitor, key) if device is None else device_limit(context, device)
    if device is not None and not visitor.via_api:
        return [of_account]
    return [*_network_limits("login-network", context.rules.login_limit_network, visitor), of_account]


def account_limit(context: Context, visitor: Visitor, key: str) -> RateLimit:
    """Of these, the one on the address."""
    return RateLimit("login-account", context.rules.login_limit_account, (str(visitor.organisation_id), key))


def device_limit(context: Context, device: KnownDevice) -> RateLimit:
    """In place of these, the one on a known device."""
    return RateLimit("login-device", context.rules.login_limit_account, (str(device.id),))


def magic_auth_limits(context: Context, visitor: Visitor, key: str) -> list[RateLimit]:
    """For sign-ins that a shop vouches for: those that are refused, and the first of a new contact.

    Their own counters, so that a stranger's wrong passwords never close this way to the owner.
    """
    return [
        *_network_limits("vouched-network", context.rules.login_limit_network, visitor),
        RateLimit("vouched-account", context.rules.login_limit_account, (str(visitor.organisation_id), key)),
    ]


def link_limits(context: Context, visitor: Visitor) -> list[RateLimit]:
    """For tokens that were never issued."""
    return _network_limits("link", context.rules.login_limit_network, visitor)


def new_password_limits(context: Context, contact_id: int) -> list[RateLimit]:
    """For new passwords by a mailed link: being told "used before" tells something about a former password.

    Its own counter, so that wrong passwords at the login never close the way by mail.
    """
    return [RateLimit("new-password", context.rules.login_limit_account, (str(contact_id),))]


def handover_limits(contact_id: int) -> list[RateLimit]:
    """For hand-over codes: each is a row that stays for a day, and no customer needs that many."""
    return [RateLimit("handover", _HANDOVER_LIMIT, (str(contact_id),))]


def registration_limits(context: Context, visitor: Visitor) -> list[RateLimit]:
    """For registrations."""
    return _network_limits("register", context.rules.register_limit_network, visitor)


def email_limits(context: Context, visitor: Visitor, key: str, device: KnownDevice | None) -> list[RateLimit]:
    """For mails with a proof (reset, sign-in) that anybody can ask for. Notices of security events never count."""
    if device is None:
        return _email_limits(context, visitor, "mail-address", key)
    of_device = RateLimit("mail-device", context.rules.mail_limit_address, (str(device.id),))
    if not visitor.via_api:
        return [of_device]
    return [*_network_limits("mail-network", context.rules.mail_limit_network, visitor), of_device]


def registration_email_limits(context: Context, visitor: Visitor, key: str) -> list[RateLimit]:
    """For the mails of registrations: counted apart, since a stranger could else use up those that let the owner in."""
    return _email_limits(context, visitor, "register-address", key)


def _email_limits(context: Context, visitor: Visitor, scope: str, key: str) -> list[RateLimit]:
    limit, of_address = context.rules.mail_limit_address, (str(visitor.organisation_id), key)
    return [
        *_network_limits("mail-network", context.rules.mail_limit_network, visitor),
        RateLimit(scope, limit, of_address, reserve=_last_mail(scope, limit, of_address, visitor.network)),
    ]


def _last_mail(scope: str, limit: RateLimitItem, of_address: tuple[str, ...], network: str | None) -> Reserve | None:
    """One mail in each window; none where a shop names no network, since all of its customers would share it."""
    if network is None:
        return None
    return Reserve(
        visits=RateLimit(f"{scope}-visits", limit, (*of_address, network)),
        tries=RateLimit(f"{scope}-reserve", type(limit)(1, limit.multiples), of_address),
    )


def _network_limits(scope: str, limit: RateLimitItem, visitor: Visitor) -> list[RateLimit]:
    return [] if visitor.network is None else [RateLimit(scope, limit, (str(visitor.organisation_id), visitor.network))]


def api_key_limit(context: Context, network: str) -> RateLimit:
    """For API keys that do not exist: of no organisation, so counted for all together."""
    return RateLimit("api-key", context.rules.login_limit_network, (network,))


def attempt(
    context: Context, visitor: Visitor, limits: Sequence[RateLimit], kind: EventKind, failure: Failure
) -> Attempt:
    """Count an attempt before the work it limits; the block that does the work may give it back (rate_limiter.py).

    Raises Refused(failure) with the time to wait when a limit is reached. The first refusal of each window is recorded
    as an event of `kind`, so that a flood of attempts is not a flood of rows.
    """
    try:
        return context.rate_limiter.attempt(limits)
    except RateLimitExceeded as exceeded:
        if exceeded.is_first:
            with context.database.write() as connection:
                record(connection, visitor, kind, contact_id=None, now=context.clock(), refusal=failure)
        raise Refused(failure, retry_after=exceeded.retry_after) from None
