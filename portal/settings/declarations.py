"""The settings, each declared once with its type, default and meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, get_type_hints
from urllib.parse import urlsplit

from limits import RateLimitItem
from sqlalchemy.engine import make_url

from portal.domain.passwords.hashing import Parameters
from portal.domain.passwords.policy import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.settings import connection_urls, values
from portal.settings.addresses import is_loopback_host
from portal.settings.declaration import Declaration

DATABASE_FILE = "portal.sqlite3"


def _limit(default: str, meaning: str) -> Declaration:
    return Declaration(values.limit, default, meaning)


def _duration(default: str, meaning: str) -> Declaration:
    return Declaration(values.duration, default, meaning)


@dataclass(frozen=True, repr=False)  # a repr would show the secrets
class Settings:
    """All settings, each with its type and Declaration."""

    instance_path: Path
    base_url: Annotated[
        str,
        Declaration(
            values.base_url,
            "http://127.0.0.1:5000",
            "Public address. Every link in an email starts with it. `https` turns on secure cookies and HSTS.",
        ),
    ]
    secret_key: Annotated[
        str | None,
        Declaration(
            values.secret_key,
            None,
            "Signs links, cookies and forms. Must be set with a database other than SQLite.",
            shown="created at the first start, kept in the instance",
        ),
    ]
    secret_key_fallbacks: Annotated[
        tuple[str, ...],
        Declaration(
            values.secret_keys,
            "",
            "Earlier keys, separated by commas. Cookies, links and open forms signed with them keep working, and "
            "secrets of authenticator apps can be read.",
            shown="none",
        ),
    ]
    database_url: Annotated[
        str,
        Declaration(
            connection_urls.database_url,
            None,
            "SQLAlchemy URL of a SQLite file or of PostgreSQL 15 or later, such as"
            " `postgresql://portal@db.example.com/portal`.",
            shown=f"`{DATABASE_FILE}` in the instance",
        ),
    ]
    ratelimit_storage_uri: Annotated[
        str,
        Declaration(
            connection_urls.storage_uri,
            "memory://",
            "Storage of rate limits: `redis://…` (Redis or Valkey) for more than one process. In memory, each process"
            " counts for itself, so limits multiply with the number of processes.",
        ),
    ]
    mail_server: Annotated[
        str | None,
        Declaration(
            values.mail_server,
            None,
            "Host of the SMTP server. Without one, emails go to the local mailbox at `/dev/mailbox`.",
        ),
    ]
    mail_port: Annotated[int, Declaration(values.whole_number(1, 65535), "25", "Port of the SMTP server.")]
    mail_username: Annotated[str | None, Declaration(values.anything, None, "User name for the SMTP server.")]
    mail_password: Annotated[str | None, Declaration(values.anything, None, "Password for the SMTP server.")]
    mail_use_tls: Annotated[
        bool, Declaration(values.switch, "false", "Start TLS on the connection (STARTTLS). Certificates are checked.")
    ]
    mail_use_ssl: Annotated[
        bool,
        Declaration(values.switch, "false", "Connect with TLS from the start (port 465). Certificates are checked."),
    ]
    mail_default_sender: Annotated[
        str,
        Declaration(
            values.sender, "portal@localhost", "Sender of emails for organisations without a sender of their own."
        ),
    ]
    trusted_proxies: Annotated[
        int,
        Declaration(
            values.whole_number(0, 20), "0", "Number of proxies in front whose `X-Forwarded-*` headers are trusted."
        ),
    ]
    login_limit_account: Annotated[RateLimitItem, _limit("10 per 20 minutes", "Failed sign-ins for one address.")]
    login_limit_network: Annotated[
        RateLimitItem, _limit("100 per 20 minutes", "Failed sign-ins from one network: an IPv4 address or an IPv6 /64.")
    ]
    register_limit_network: Annotated[RateLimitItem, _limit("20 per hour", "Registrations from one network.")]
    mail_limit_address: Annotated[
        RateLimitItem, _limit("5 per hour", "Emails that can be requested without signing in, to one address.")
    ]
    mail_limit_network: Annotated[
        RateLimitItem, _limit("30 per hour", "Emails that can be requested without signing in, from one network.")
    ]
    register_retry: Annotated[
        timedelta,
        _duration("10m", "API only: time after which an address with a pending registration may be registered again."),
    ]
    api_limit_prod: Annotated[
        RateLimitItem, _limit("6000 per minute", "Requests with one `PROD` key. `ROOT` keys have no rate limit.")
    ]
    api_limit_dev: Annotated[RateLimitItem, _limit("60 per minute", "Requests with one `DEV_` key.")]
    form_limit_network: Annotated[
        RateLimitItem, _limit("3000 per minute", "Forms sent from one network, all pages together.")
    ]
    reset_lifetime: Annotated[timedelta, _duration("30m", "Lifetime of an emailed reset link, written like `3h 20m`.")]
    magic_lifetime: Annotated[timedelta, _duration("15m", "How long an emailed sign-in link and its code work.")]
    verify_lifetime: Annotated[
        timedelta,
        _duration(
            "24h",
            "Lifetime of the link and code that confirm a registration or a change of address, at most "
            f"{PENDING_LIFETIME.days}d.",
        ),
    ]
    reset_lifetime_max: Annotated[
        timedelta, _duration("24h", "The longest `expirationTime` that the API accepts for a reset link.")
    ]
    identity_lifetime: Annotated[
        timedelta,
        _duration(
            "30d", 'Lifetime of a session with "keep me signed in" or from the API. Other sessions last 12 hours.'
        ),
    ]
    identity_idle: Annotated[
        timedelta, _duration("7d", "Such a session ends when unused for this time; other sessions after 2 hours.")
    ]
    password_min_length: Annotated[
        int,
        Declaration(
            values.whole_number(1, PASSWORD_MAX_LENGTH),
            "8",
            f"Minimum length of a new password, in characters. The maximum is {PASSWORD_MAX_LENGTH}.",
        ),
    ]
    argon2_time_cost: Annotated[
        int,
        Declaration(
            values.whole_number(1, 100),
            "2",
            "Time cost of Argon2id, in passes. Stored hashes are renewed at the customer's next sign-in.",
        ),
    ]
    argon2_memory_kib: Annotated[
        int, Declaration(values.whole_number(8, 4 * 1024 * 1024), "19456", "Memory of one Argon2id hash, in KiB.")
    ]
    argon2_parallelism: Annotated[int, Declaration(values.whole_number(1, 64), "1", "Lanes of Argon2id.")]
    pwned_passwords_file: Annotated[
        Path | None,
        Declaration(
            values.pwned_passwords,
            None,
            "A file of breached passwords, which are refused as new passwords: the SHA-1 version of Have I Been Pwned,"
            " ordered by hash (lines `SHA1:count`). It is searched on this machine; nothing is sent anywhere.",
        ),
    ]
    geoip_database: Annotated[
        Path | None,
        Declaration(
            values.geoip_database,
            None,
            "A `.mmdb` file (MaxMind, DB-IP), with which pages, emails and `portal customer show` add the approximate"
            " place of IP addresses.",
        ),
    ]
    metrics_port: Annotated[
        int | None,
        Declaration(
            values.whole_number(1, 65535),
            None,
            "Port of `/metrics` for Prometheus, on the address that `--host` names.",
        ),
    ]
    log_format: Annotated[
        str | None,
        Declaration(
            values.one_of("text", "json"),
            None,
            "Format of the log on standard error.",
            shown="`text` on a terminal, else `json`",
        ),
    ]
    event_retention: Annotated[
        timedelta, _duration("180d", "How long events (sign-ins and changes of accounts) are kept.")
    ]
    deletion_grace: Annotated[
        timedelta,
        Declaration(
            values.duration_or_zero,
            "14d",
            "How long customers who have deleted their account can change their mind, by a link in an email; then it is"
            " erased. `0` erases at once.",
        ),
    ]

    @property
    def is_https(self) -> bool:
        """Whether the public address is https."""
        return self.base_url.startswith("https:")

    @property
    def is_embedded(self) -> bool:
        """Whether the database is SQLite."""
        return make_url(self.database_url).get_backend_name() == "sqlite"

    @property
    def hostname(self) -> str:
        """The host of the public address."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is on this machine."""
        return is_loopback_host(self.hostname)

    @property
    def argon2(self) -> Parameters:
        """The cost of a password hash."""
        return Parameters(self.argon2_time_cost, self.argon2_memory_kib, self.argon2_parallelism)


DECLARATIONS: Mapping[str, Declaration] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""Every setting by the name of its field, except INSTANCE_PATH, which has to be known before portal.toml is read."""
DEFAULT_LIMITS = {name: found.default or "" for name, found in DECLARATIONS.items() if found.read is values.limit}
"""The default of each rate limit, as it is written."""
