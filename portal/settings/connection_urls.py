"""Parse the URLs of the database and of the rate limit storage; a wrong one raises ValueError with the problem.

A URL may hold a password, and the message of a driver a part of it, so no message quotes either.
"""

from importlib.util import find_spec
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from portal.settings.addresses import sqlite_url
from portal.settings.values import path, whole_number


def database_url(text: str) -> str:
    """Validate the SQLAlchemy URL of a SQLite file or of PostgreSQL; postgres:// becomes postgresql://."""
    if text.startswith("postgres://"):
        text = text.replace("postgres", "postgresql", 1)
    try:
        url = make_url(text)
        url.get_dialect().import_dbapi()
    except (SQLAlchemyError, ImportError, ValueError):
        raise ValueError(
            "is not a SQLAlchemy URL of an installed driver, such as sqlite:////var/lib/portal.db"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError("must be SQLite or PostgreSQL, such as postgresql://portal@db.example.com/portal")
    if url.get_dialect().is_async:
        raise ValueError("has an asyncio driver, which the portal cannot use; begin it with postgresql://")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("must name a file; a database in memory would be lost, and threads could not share it")
    if url.get_backend_name() == "sqlite" and url.query:
        raise ValueError("must name a file, with nothing after it; the portal chooses SQLite's options itself")
    if not _is_accepted_by_driver(url):
        raise ValueError("cannot be used; the driver refuses its host, port or an argument after the ?")
    if url.get_backend_name() == "sqlite" and str(url.database).startswith("~"):
        return sqlite_url(path(str(url.database)))
    return text


def _is_accepted_by_driver(url: URL) -> bool:
    if url.get_backend_name() == "sqlite":
        return not url.host
    import psycopg  # loads libpq, which a portal on SQLite does not need
    from psycopg.conninfo import make_conninfo

    try:
        _, arguments = url.get_dialect()().create_connect_args(url)
        make_conninfo(**arguments)
        whole_number(0, 3600)(arguments.get("connect_timeout", "0"))
    except (SQLAlchemyError, psycopg.Error, ValueError, AttributeError):
        return False
    return True


def storage_uri(text: str) -> str:
    """Validate the address of the rate limit storage."""
    if text == "memory://":
        return text
    if text.partition("://")[0] not in ("redis", "rediss", "redis+unix"):
        raise ValueError("must be memory:// or redis://host:port/number")
    if find_spec("redis") is None:
        raise ValueError("needs the Python package redis, which is not installed")
    from redis.exceptions import RedisError  # slow to load, and only Redis needs it

    from portal.storage.redis_counters import RedisCounters

    try:
        # The library parses some parts only when it creates a connection (without connecting) or packs a command.
        RedisCounters(text).storage.connection_pool.make_connection().pack_command("GET", "key")
        if not text.startswith("redis+unix:"):
            int(urlsplit(text).path.strip("/") or 0)  # the library would use database 0 for any other text
    except (ValueError, TypeError, LookupError, RedisError):
        raise ValueError("cannot be used; redis-py refuses its port, its database or an argument after the ?") from None
    return text
