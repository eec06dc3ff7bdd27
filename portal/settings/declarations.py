"""The settings: each declared once, with its type, its default and its meaning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit

from limits import RateLimitItem
from sqlalchemy.engine import make_url

from portal.domain.passwords.hashing import Parameters
from portal.domain.passwords.policy import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.pending_registrations import PENDING_LIFETIME
from portal.settings import values

DATABASE_FILE = "portal.sqlite3"

Reader = Callable[[str], Any]
"""Reads the text of a setting into its value; raises ValueError with what is wrong (values.py)."""


@dataclass(frozen=True)
class Declaration:
    """How one setting is read, and what operators are told of it (docs/settings.md)."""

    read: Reader
    default: str | None
    """As it would be written."""
    meaning: str
    shown: str | None = None
    """What the default is, where its text would not say it."""


def _limit(default: str, meaning: str) -> Declaration:
    return Declaration(values.limit, default, meaning)


def _duration(default: str, meaning: str) -> Declaration:
    return Declaration(values.duration, default, meaning)


@dataclass(frozen=True, repr=False)  # a repr would show the secrets
class Settings:
    """All settings, each declared once: its type, how it is read, its default, its meaning (Markdown)."""

    instance_path: Path
    base_url: Annotated[
        str,
        Declaration(
            values.base_url,
            "http://127.0.0.1:5000",
            "Public address. Every link in an email starts with it. With `https`, cookies are secure and HSTS is sent.",
        ),
    ]
    secret_key: Annotated[
        str | None,
        Declaration(
            values.secret_key,
            None,
            "Signs links, cookies and forms. Must be set with a database other than SQLite.",
            shown="made at the first start, kept in the instance",
        ),
    ]
    secret_key_fallbacks: Annotated[
        tuple[str, ...],
        Declaration(
            values.secret_keys,
            "",
            "Earlier keys, separated by commas. Cookies, links and open forms signed with them keep working.",
            shown="none",
        ),
    ]
    database_url: Annotated[
        str,
        Declaration(
            values.database_url,
            None,
            "SQLAlchemy URL of a SQLite file or of PostgreSQL 15 or later, such as"
            " `postgresql://portal@db.example.com/portal`.",
            shown=f"`{DATABASE_FILE}` in the instance",
        ),
    ]
    ratelimit_storage_uri: Annotated[
        str,
        Declaration(
            values.storage_uri,
            "memory://",
            "Where rate limits are counted: `redis://…` (Redis or Valkey) for more than one process. In memory, each"
            " process counts for itself, so limits multiply with the number of processes.",
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
            values.sender, "portal@localhost", "Sender of emails for organisations that have none of their own."
        ),
    ]
    trusted_proxies: Annotated[
        int,
        Declaration(values.whole_number(0, 20), "0", "Number of proxies in front whose `X-Forwarded-*` headers count."),
    ]
    login_limit_account: Annotated[RateLimitItem, _limit("10 per 20 minutes", "Failed sign-ins for one address.")]
    login_limit_network: Annotated[
        RateLimitItem,
        _limit(
            "100 per 20 minutes",
            "Failed sign-ins from one network: an IPv4 address or an IPv6 /64.",
        ),
    ]
    register_limit_network: Annotated[RateLimitItem, _limit("20 per hour", "Registrations from one network.")]
    mail_limit_address: Annotated[
        RateLimitItem, _limit("5 per hour", "Emails that anybody can ask for, to one address.")
    ]
    mail_limit_network: Annotated[
        RateLimitItem, _limit("30 per hour", "Emails that anybody can ask for, from one network.")
    ]
    register_retry: Annotated[
        timedelta,
        _duration(
            "10m",
            "API: how soon an address with a pending registration may be registered again.",
        ),
    ]
    api_limit_prod: Annotated[
        RateLimitItem,
        _limit("6000 per minute", "Requests with one `PROD` key. `ROOT` keys have no such limit."),
    ]
    api_limit_dev: Annotated[RateLimitItem, _limit("60 per minute", "Requests with one `DEV_` key.")]
    form_limit_network: Annotated[
        RateLimitItem, _limit("3000 per minute", "Forms sent from one network, all pages together.")
    ]
    reset_lifetime: Annotated[
        timedelta, _duration("30m", "How long an emailed reset link works, written like `3h 20m`.")
    ]
    magic_lifetime: Annotated[timedelta, _duration("15m", "How long an emailed sign-in link and its code work.")]
    verify_lifetime: Annotated[
        timedelta,
        _duration(
            "24h",
            f"How long the link and code that confirm a registration work, at most {PENDING_LIFETIME.days}d.",
        ),
    ]
    reset_lifetime_max: Annotated[
        timedelta,
        _duration("24h", "The longest `expirationTime` that the API takes for a reset link."),
    ]
    identity_lifetime: Annotated[
        timedelta,
        _duration(
            "30d",
            'How long a session lasts with "keep me signed in" or made by the API; without the box 12 hours.',
        ),
    ]
    identity_idle: Annotated[
        timedelta, _duration("7d", "How long such a session lasts unused; without the box 2 hours.")
    ]
    password_min_length: Annotated[
        int,
        Declaration(
            values.whole_number(1, PASSWORD_MAX_LENGTH),
            "8",
            f"Shortest new password, in characters. The longest is {PASSWORD_MAX_LENGTH}.",
        ),
    ]
    argon2_time_cost: Annotated[
        int,
        Declaration(
            values.whole_number(1, 100),
            "2",
            "Passes of Argon2id over its memory. Stored hashes are renewed at the next sign-in.",
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
            "A file of known breached passwords, which nobody can choose then: the SHA-1 version of Have I Been Pwned,"
            " ordered by hash (lines `SHA1:count`). It is searched on this machine; nothing is sent anywhere.",
        ),
    ]
    geoip_database: Annotated[
        Path | None,
        Declaration(
            values.places,
            None,
            "A `.mmdb` file (MaxMind, DB-IP) from which `portal customer show` tells where an IP address is.",
        ),
    ]
    metrics_port: Annotated[
        int | None,
        Declaration(
            values.whole_number(1, 65535),
            None,
            "Port on which Prometheus finds `/metrics`, on the address that `--host` names.",
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
    event_retention: Annotated[timedelta, _duration("180d", "How long the record of sign-ins and changes is kept.")]

    @property
    def is_https(self) -> bool:
        """Whether the public address is https: secure cookies and HSTS follow."""
        return self.base_url.startswith("https:")

    @property
    def is_embedded(self) -> bool:
        """Whether the data lives in SQLite, on this machine."""
        return make_url(self.database_url).get_backend_name() == "sqlite"

    @property
    def hostname(self) -> str:
        """The host of the public address."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the public address is this machine only."""
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
"""Every setting by the name of its field, but INSTANCE_PATH, which says where the others may be read from."""
DEFAULT_LIMITS = {name: found.default or "" for name, found in DECLARATIONS.items() if found.read is values.limit}
"""The rate limits, as they would be written."""


def markdown_table() -> str:
    """Render the table of all settings for docs/settings.md."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, found in DECLARATIONS.items():
        default = found.shown or (f"`{found.default}`" if found.default else "none")
        rows.append(f"| `{name.upper()}` | {default} | {found.meaning} |")
    return "\n".join([*rows, ""])


def is_loopback_host(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        address = ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    except ValueError:
        return host == "localhost"
