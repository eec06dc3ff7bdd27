"""A portal in a temporary folder with registered customers, and a database of the reference with the first of them."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from portal.app import build_context
from portal.domain import api_keys
from portal.domain.api_keys import KeyKind
from portal.domain.context import Context, Visitor
from portal.domain.organisations import get_organisation
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_registration import confirm, get_confirmation
from portal.domain.use_cases.register import RegistrationRequest, register
from portal.domain.values.email import parse_email
from portal.instance_dir import prepare_database, secret_key
from portal.settings import PREFIX, Settings, load_settings
from portal.storage.models import Link, Registration

PASSWORD = "tichy velbloud 77"
CUSTOMERS = 10
"""Enough that wrong passwords lock no account (contacts.LOCKING_FAILURES)."""
_LIMITS = (
    "login_limit_account",
    "login_limit_network",
    "register_limit_network",
    "mail_limit_address",
    "mail_limit_network",
    "api_limit_prod",
)


@dataclass(frozen=True)
class Instance:
    """An instance with its environment, its API key, and the customers, who have PASSWORD."""

    path: Path
    environment: dict[str, str]
    customers: list[str]
    settings: Settings
    api_key: str


@contextmanager
def temporary_instance() -> Iterator[Instance]:
    """Create an instance with very high rate limits, and the database of the reference beside it."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        path = Path(folder)
        environment = {PREFIX + "INSTANCE_PATH": folder, "BARE_DATABASE": str(path / "bare.sqlite3")}
        environment |= {PREFIX + name.upper(): "1000000 per hour" for name in _LIMITS}
        settings = load_settings(environment)
        prepare_database(settings)
        context = build_context(settings, secret_key(settings))
        customers = [f"customer-{number:04}@example.com" for number in range(CUSTOMERS)]
        for email in customers:
            _register(context, email)
        cost = settings.argon2
        environment["BARE_ARGON2"] = f"{cost.time_cost},{cost.memory_kib},{cost.parallelism}"
        _make_bare_database(environment["BARE_DATABASE"], customers[0], context.hasher.hash(PASSWORD, b"0" * 16))
        _, api_key = api_keys.create(context, 1, KeyKind.PRODUCTION)
        context.database.engine.dispose()
        yield Instance(path, environment, customers, settings, api_key)


def _register(context: Context, email: str) -> None:
    with context.database.read() as connection:
        organisation = get_organisation(connection, "default")
    visitor = Visitor(organisation_id=organisation.id, ip="127.0.0.1", locale="en")
    public_id = register(context, visitor, RegistrationRequest(parse_email(email), PASSWORD))
    with context.database.read() as connection:
        link = connection.execute(
            select(Link.public_id)
            .join(Registration, Registration.id == Link.registration_id)
            .where(Registration.public_id == public_id)
        ).scalar_one()
    token = context.signer.token(Purpose.VERIFY, link)
    confirmation = get_confirmation(context, visitor, token, registration=public_id)
    confirm(context, visitor, confirmation, password=None, remember=False, replacing=None)


def _make_bare_database(path: str, email: str, password_hash: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT)")
        connection.execute("INSERT INTO user (email, password) VALUES (?, ?)", (email, password_hash))
    connection.close()
