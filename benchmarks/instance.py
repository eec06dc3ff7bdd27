"""A portal in a temporary folder with registered and imported customers, and what a benchmark needs of its database."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe

from sqlalchemy import insert, select

from benchmarks.backends import Backends
from portal.app import build_context
from portal.domain import contacts, one_time_links
from portal.domain.context import Context, Visitor
from portal.domain.one_time_links import NewLink
from portal.domain.operations.ban import ban
from portal.domain.organisations import get_organisation
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_registration import confirm, get_confirmation
from portal.domain.use_cases.register import RegistrationRequest, register
from portal.domain.values.email import parse_email
from portal.instance_dir import secret_key, upgrade_database
from portal.settings import PREFIX, Settings, load_settings
from portal.storage.models import FormerPassword, Link, Registration

PASSWORD = "tichy velbloud 77"
CUSTOMERS = 10
"""Enough that wrong passwords lock no account (contacts.LOCKING_FAILURES)."""
CHANGING_CUSTOMERS = 20
FORMER_PASSWORDS = 24
PORTAL = (sys.executable, "-c", "from portal.cli import main; main()")
"""The command `portal`."""
CHECKOUT = Path(__file__).resolve().parent.parent
_LIMITS = (
    "login_limit_account",
    "login_limit_network",
    "register_limit_network",
    "mail_limit_address",
    "mail_limit_network",
    "form_limit_network",
)
_IMPORTED_HASH = "$2b$12$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"


@dataclass(frozen=True)
class Instance:
    """An instance with its environment, and registered customers, who have PASSWORD and FORMER_PASSWORDS."""

    path: Path
    environment: Mapping[str, str]
    settings: Settings
    context: Context = field(repr=False)
    customers: list[str]
    changing_customers: list[str]
    """Those whose passwords a benchmark changes."""
    import_seconds: float
    """The CPU time of importing the others."""
    backends: Backends | None
    """What it uses in place of SQLite and of counters in memory."""

    def reset_token(self, email: str) -> str:
        """Return the token of a new reset link of a customer, as an email would contain it."""
        visitor, now = default_visitor(self.context), self.context.clock()
        with self.context.database.write() as connection:
            contact = contacts.lock_by_key(connection, visitor.organisation_id, parse_email(email).key)
            assert contact is not None
            link = NewLink(Purpose.RESET, contact.id, contact.email, now + timedelta(hours=1))
            public_id = one_time_links.issue(connection, link, now).public_id
        return self.context.signer.token(Purpose.RESET, public_id)

    def ban(self, email: str) -> None:
        """Ban a customer."""
        ban(self.context, default_visitor(self.context).organisation_id, parse_email(email), "a benchmark")

    def add_pending(self, email: str) -> None:
        """Register an address that stays unconfirmed."""
        register(self.context, default_visitor(self.context), RegistrationRequest(parse_email(email), PASSWORD))


@contextmanager
def temporary_instance(
    imported: int = 0, backends: Backends | None = None, registered: int = CUSTOMERS, **more_settings: str
) -> Iterator[Instance]:
    """Create an instance with very high rate limits and `imported` more customers; on SQLite without `backends`.

    Emails stay in the queue, since no mail server is there, so that the CPU time of requests is theirs alone.
    """
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        path = Path(folder)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's portal compiles its modules once
        environment |= {PREFIX + "INSTANCE_PATH": folder}
        environment |= {PREFIX + "MAIL_SERVER": "127.0.0.1", PREFIX + "MAIL_PORT": "1"}
        environment |= {PREFIX + name.upper(): "1000000 per hour" for name in _LIMITS}
        more_settings |= backends.new_settings() if backends else {}
        environment |= {PREFIX + name: value for name, value in more_settings.items()}
        settings = load_settings(environment)
        upgrade_database(settings)
        spent = import_customers(imported, path, environment).cpu_seconds if imported else 0.0
        context = build_context(settings, secret_key(settings))
        customers = [f"steady-{number:04}@example.com" for number in range(registered)]
        changing = [f"changing-{number:04}@example.com" for number in range(CHANGING_CUSTOMERS)]
        for email in [*customers, *changing]:
            _register(context, email)
        cost = settings.argon2
        environment["BENCH_FOLDER"] = folder
        environment["BENCH_ARGON2"] = json.dumps(
            {"time_cost": cost.time_cost, "memory_cost": cost.memory_kib, "parallelism": cost.parallelism}
        )
        environment["BENCH_HASH"] = context.hasher.hash(PASSWORD, b"0" * 16)
        yield Instance(path, environment, settings, context, customers, changing, spent, backends)
        context.database.engine.dispose()


@dataclass(frozen=True)
class Spent:
    """What a process has used."""

    cpu_seconds: float
    peak_mib: float


def import_customers(count: int, folder: Path, environment: Mapping[str, str]) -> Spent:
    """Import customers with `portal customer import`, as an operator does."""
    path, log = write_import(count, folder), folder / "import.log"
    with log.open("w") as output:
        command = [*PORTAL, "customer", "import", str(path)]
        process = subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=output, stderr=output)
        # The kernel's own maximum (ru_maxrss) includes the memory of this process, from before the command was loaded.
        peak_mib = 0.0
        while True:
            peak_mib = max(peak_mib, _peak_mib(process.pid))
            time.sleep(0.1)
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
        process.returncode = os.waitstatus_to_exitcode(status)
    assert f"Imported customers: {count}, with an account: {count}," in log.read_text(), log.read_text()
    return Spent(used.ru_utime + used.ru_stime, peak_mib)


def _peak_mib(pid: int) -> float:
    """Return the largest resident memory of a process so far; 0 for one that has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0) / 1024


def write_import(count: int, folder: Path) -> Path:
    """Write a CSV file with customers to import."""
    path = folder / "customers.csv"
    names = ("email", "firstName", "lastName", "phone", "streetAddress", "city", "postalCode", "country", "newsletter")
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*names, "passwordHash"])
        for number in range(count):
            address = (f"Dlouhá {number}", "Praha", "110 00", "cz", "yes")
            rows.writerow(
                [
                    imported_email(number, count),
                    "Jana",
                    "Nováková",
                    f"+420 777{number % 10**6:06}",
                    *address,
                    _IMPORTED_HASH,
                ]
            )
    return path


def imported_email(number: int, count: int) -> str:
    """Return the address of one of `count` imported customers."""
    return f"customer-{number * 7919 % count:07}@example{number % 500}.com"


def default_visitor(context: Context) -> Visitor:
    with context.database.read() as connection:
        organisation = get_organisation(connection, "default")
    return Visitor(organisation_id=organisation.id, ip="127.0.0.1", locale="en")


def _register(context: Context, email: str) -> None:
    visitor = default_visitor(context)
    public_id = register(context, visitor, RegistrationRequest(parse_email(email), PASSWORD))
    with context.database.read() as connection:
        link = connection.execute(
            select(Link.c.public_id)
            .join(Registration, Registration.c.id == Link.c.registration_id)
            .where(Registration.c.public_id == public_id)
        ).scalar_one()
    token = context.signer.token(Purpose.VERIFY, link)
    confirmation = get_confirmation(context, visitor, token, registration=public_id)
    confirm(context, visitor, confirmation, password=None, remember=False, replacing=None)
    _add_former_passwords(context, visitor, email)


def _add_former_passwords(context: Context, visitor: Visitor, email: str) -> None:
    """Add hashes of unknown passwords; they cost as much to compare with as those of known ones."""
    with context.database.write() as connection:
        contact = contacts.lock_by_key(connection, visitor.organisation_id, parse_email(email).key)
        assert contact is not None
        assert contact.password_hash is not None
        prefix = contact.password_hash.rpartition("$")[0]
        hashes = [f"{prefix}${token_urlsafe(32)}" for _ in range(FORMER_PASSWORDS)]
        now = context.clock()
        rows = [{"contact_id": contact.id, "password_hash": known, "retired_at": now} for known in hashes]
        connection.execute(insert(FormerPassword), rows)
