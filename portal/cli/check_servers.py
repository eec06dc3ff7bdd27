"""Checks of the database, rate limit and mail servers for `portal check`."""

from collections.abc import Iterator
from ipaddress import ip_address
from ssl import CERT_NONE
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url

from portal.settings import Settings, is_loopback_host

Finding = tuple[str, str]
"""The name of a setting or an organisation, and a message: what is wrong with it; what to do."""

_TLS_PORT = 465
_STARTTLS_PORTS = (25, 587)
_LOCAL_DOMAINS = ("localhost", "localdomain")
"""Top-level domains that mean the machine itself."""


def find_in_services(settings: Settings) -> Iterator[Finding]:
    """Yield unsafe settings of the database and the rate limit storage."""
    if not settings.is_embedded and settings.ratelimit_storage_uri == "memory://":
        yield (
            "RATELIMIT_STORAGE_URI",
            "each process counts limits in its own memory, so they multiply with the number of processes; set redis://",
        )
    database = make_url(settings.database_url)
    if not all(map(_is_local, _hosts(database))) and database.query.get("sslmode") not in ("verify-full", "verify-ca"):
        yield (
            "DATABASE_URL",
            "does not verify the server's certificate; add ?sslmode=verify-full and set PGSSLROOTCERT",
        )
    limits = urlsplit(settings.ratelimit_storage_uri)
    if limits.scheme in ("redis", "rediss") and not is_loopback_host(limits.hostname or ""):
        if limits.scheme == "redis":
            yield "RATELIMIT_STORAGE_URI", "the connection is not encrypted; use rediss://"
        elif not _verifies_certificate(settings.ratelimit_storage_uri):
            yield (
                "RATELIMIT_STORAGE_URI",
                "does not verify the server's certificate; remove the arguments that begin with ssl_",
            )


def find_in_mail(settings: Settings) -> Iterator[Finding]:
    """Yield unsafe or incomplete settings of email."""
    if settings.mail_server is None:
        yield "MAIL_SERVER", "not set, so emails go to the local mailbox and reach no customer; set an SMTP server"
    elif not (settings.mail_use_tls or settings.mail_use_ssl or is_loopback_host(settings.mail_server)):
        yield "MAIL_USE_TLS", "is off, so sign-in links are sent unencrypted; turn it on"
    if settings.mail_server and settings.mail_port == _TLS_PORT and not settings.mail_use_ssl:
        yield "MAIL_PORT", f"{_TLS_PORT} needs TLS from the start; turn MAIL_USE_SSL on and MAIL_USE_TLS off"
    if settings.mail_server and settings.mail_port in _STARTTLS_PORTS and settings.mail_use_ssl:
        fix = f"set {_TLS_PORT}, or turn MAIL_USE_TLS on and MAIL_USE_SSL off"
        yield "MAIL_PORT", f"{settings.mail_port} has no TLS from the start; {fix}"
    if is_this_machine(settings.mail_default_sender.rpartition("@")[2]):
        yield "MAIL_DEFAULT_SENDER", "no mail server accepts email from this domain; set an address of your own domain"


def is_this_machine(host: str) -> bool:
    """Return whether a host other than localhost is this machine all the same (RFC 6761, section 6.3)."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host.removesuffix(".").rpartition(".")[2] in _LOCAL_DOMAINS


def _verifies_certificate(uri: str) -> bool:
    """Return whether redis-py, with TLS, verifies the server's certificate and host name."""
    from portal.storage.redis_counters import RedisCounters  # slow to import, and only Redis needs it

    connection: Any = RedisCounters(uri).storage.connection_pool.make_connection()  # connects to nothing yet
    return bool(connection.cert_reqs != CERT_NONE and connection.check_hostname)


def _hosts(database: URL) -> list[str]:
    """Return the hosts of a database from all parts of its URL; none for SQLite."""
    if database.get_backend_name() == "sqlite":
        return []
    _, arguments = database.get_dialect()().create_connect_args(database)
    return [host for name in ("host", "hostaddr") for host in arguments.get(name, "").split(",")]


def _is_local(host: str) -> bool:
    """Return whether a host, as libpq names it, is this machine; an empty name and a folder are Unix sockets."""
    return not host or host.startswith(("/", "@")) or is_loopback_host(host)
