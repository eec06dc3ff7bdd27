"""What `portal check` says of the servers that the portal speaks to: for its data, its limits and its mail."""

from collections.abc import Iterator
from ipaddress import ip_address
from ssl import CERT_NONE
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url

from portal.settings import Settings, is_loopback_host

Finding = tuple[str, str]
"""The name of a setting or an organisation, and what is wrong with it and what to do."""

_TLS_PORT = 465
_THIS_MACHINE = ("localhost", "localdomain")
"""Last parts of names that no other machine knows."""


def find_in_services(settings: Settings) -> Iterator[Finding]:
    """What is unsafe about where the data and the limits are."""
    if not settings.is_embedded and settings.ratelimit_storage_uri == "memory://":
        yield (
            "RATELIMIT_STORAGE_URI",
            "is the memory of each process: with several processes limits are as many times higher. Use redis://.",
        )
    database = make_url(settings.database_url)
    if not all(map(_is_near, _servers(database))) and database.query.get("sslmode") not in ("verify-full", "verify-ca"):
        yield "DATABASE_URL", "does not check who the server is: add ?sslmode=verify-full, and name PGSSLROOTCERT."
    limits = urlsplit(settings.ratelimit_storage_uri)
    if limits.scheme in ("redis", "rediss") and not is_loopback_host(limits.hostname or ""):
        if limits.scheme == "redis":
            yield "RATELIMIT_STORAGE_URI", "is not encrypted: use rediss://."
        elif not _is_checked(settings.ratelimit_storage_uri):
            yield "RATELIMIT_STORAGE_URI", "does not check who the server is: leave ssl_ and what follows it out."


def find_in_mail(settings: Settings) -> Iterator[Finding]:
    """What is unsafe or incomplete about how mails leave."""
    if settings.mail_server is None:
        yield "MAIL_SERVER", "is not set: no mail leaves, it goes to the local mailbox. Name a mail server."
    elif not (settings.mail_use_tls or settings.mail_use_ssl or is_loopback_host(settings.mail_server)):
        yield "MAIL_USE_TLS", "is off: mails with links that let people in travel in the clear. Turn it on."
    if settings.mail_server and settings.mail_port == _TLS_PORT and not settings.mail_use_ssl:
        yield "MAIL_PORT", f"is {_TLS_PORT}, where TLS begins at once: turn MAIL_USE_SSL on and MAIL_USE_TLS off."
    if leads_nowhere(settings.mail_default_sender.rpartition("@")[2]):
        yield "MAIL_DEFAULT_SENDER", "is an address that nobody accepts mail from. Name one of your domain."


def leads_nowhere(host: str) -> bool:
    """Whether a host, which is not localhost, is this machine all the same (RFC 6761, section 6.3)."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host.removesuffix(".").rpartition(".")[2] in _THIS_MACHINE


def _is_checked(uri: str) -> bool:
    """Whether redis-py, asked for TLS, would look at the server's certificate and its name."""
    from portal.storage.redis_counters import RedisCounters  # only who shares counters pays for the import

    connection: Any = RedisCounters(uri).storage.connection_pool.make_connection()  # connects to nothing yet
    return bool(connection.cert_reqs != CERT_NONE and connection.check_hostname)


def _servers(database: URL) -> list[str]:
    """The hosts of a database, wherever its URL names them; of SQLite none."""
    if database.get_backend_name() == "sqlite":
        return []
    _, arguments = database.get_dialect()().create_connect_args(database)
    return [host for name in ("host", "hostaddr") for host in arguments.get(name, "").split(",")]


def _is_near(host: str) -> bool:
    """Whether a host, as libpq names it, is this machine: an empty one and a folder are sockets."""
    return not host or host.startswith(("/", "@")) or is_loopback_host(host)
