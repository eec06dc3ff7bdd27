from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any, TypeVar

import argon2.low_level
import bcrypt
import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import event, select

from portal import create_app
from portal.app import context_of, settings_of
from portal.domain import accounts, contacts
from portal.domain.context import Context
from portal.domain.operations import ban
from portal.domain.passwords.hashing import new_salt
from portal.domain.values.email import parse_email
from portal.mail.worker import MailWorker
from portal.settings import Settings, load_settings
from portal.storage import redis_counters
from portal.storage.models import METADATA, OutboxMail
from tests.mail.sink import Sink
from tests.servers.redis import PATIENCE_SECONDS, Redis
from tests.web.browser import Browser
from tests.web.post import last_link

PASSWORD = "seven tall herons wade"


class TemplateCache(BytecodeCache):
    """Shares compiled templates between the sites of a test run, which would spend most of its time compiling them."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


TEMPLATE_CACHE = TemplateCache()
T = TypeVar("T")


class Site:
    """A running portal, its mail worker, and the mail server that it delivers to."""

    def __init__(self, settings: Settings, sink: Sink) -> None:
        self.app: Flask = create_app(settings)
        self.app.jinja_env.bytecode_cache = TEMPLATE_CACHE
        self.settings = settings_of(self.app)
        self._sink = sink
        self._worker = MailWorker(self.app)

    @property
    def context(self) -> Context:
        return context_of(self.app)

    def close(self) -> None:
        self.context.hasher._pool.shutdown()
        self.context.database.engine.dispose()

    def browser(self, address: str = "192.0.2.10") -> Browser:
        return Browser(self.app, address)

    # Emails.

    def deliver(self) -> None:
        """Send all due emails."""
        assert self._worker.work(Event()) == 0, "the mail server was not reached"

    def mails(self, email: str | None = None) -> list[EmailMessage]:
        """Deliver, and return the received emails to one address or to all, in the order in which they were queued.

        Urgent emails are sent before others. Those of deleted customers, whose rows are gone, come first.
        """
        self.deliver()
        with self.context.database.read() as connection:
            due = {
                row.message_id: row.id for row in connection.execute(select(OutboxMail.c.message_id, OutboxMail.c.id))
            }
        arrived = [mail for mail in self._sink.messages if email is None or email in mail.envelope.recipients]
        return sorted(arrived, key=lambda mail: due.get(mail["Message-ID"].strip("<>").split("@")[0], 0))

    def link(self, email: str) -> str:
        """Return the path of the one-time link in the last email to an address."""
        link = last_link(self.mails(email))
        assert link.startswith(self.settings.base_url + "/")
        return link.removeprefix(self.settings.base_url)

    # Customers.

    def customer(self, email: str, password: str = PASSWORD, **fields: Any) -> Browser:
        """Register and confirm a customer, and return the signed-in browser."""
        browser = self.browser()
        assert browser.register(email, password, **fields).status == 302
        page = browser.fill(self.link(email))
        assert page.status == 302, page.words
        return browser

    def guest(self, email: str) -> None:
        """Create a customer without a password, as an order in a shop does."""
        address = parse_email(email)
        now = self.context.clock()
        with self.context.database.write() as connection:
            contact = contacts.get_or_create(connection, 1, address, salt=new_salt(), now=now)
            contacts.confirm(connection, contact.id, address.email, now)

    def imported(self, email: str, password: str = PASSWORD) -> None:
        """Create a customer with a password hash of another system."""
        self.guest(email)
        now = self.context.clock()
        password_hash = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
        with self.context.database.write() as connection:
            known = contacts.find(connection, 1, parse_email(email).key)
            assert known is not None
            accounts.set_password(connection, known, password_hash, now)

    def ban(self, email: str) -> None:
        """Ban a customer as `portal customer ban` does."""
        ban.ban(self.context, 1, parse_email(email), "spam")

    # Database.

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of the database, by table."""
        with self.context.database.read() as connection:
            return {
                name: sorted((dict(row._mapping) for row in connection.execute(select(table))), key=repr)
                for name, table in METADATA.tables.items()
            }

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Record the SQL statements in the block, except the periodic one that reads the organisations."""
        statements: list[str] = []

        def record(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if "FROM organisation ORDER BY" not in statement:  # read every few seconds
                statements.append(statement)

        event.listen(self.context.database.engine, "before_cursor_execute", record)
        yield statements
        event.remove(self.context.database.engine, "before_cursor_execute", record)


Start = Callable[..., Site]


def in_parallel(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run functions at the same time, each in a thread, and return their results."""
    barrier = Barrier(len(works))
    results: list[T] = []

    def run(work: Callable[[], T]) -> None:
        barrier.wait()
        results.append(work())

    threads = [Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(works), "a request raised"
    return results


@pytest.fixture
def environ(environ: Mapping[str, str], request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Add Redis to PostgreSQL: an installation on several machines has both."""
    if not environ["PORTAL_DATABASE_URL"].startswith("postgresql"):
        return environ
    redis: Redis = request.getfixturevalue("redis")
    redis.client.flushall()
    request.getfixturevalue("monkeypatch").setattr(redis_counters, "TIMEOUT_SECONDS", PATIENCE_SECONDS)
    return {**environ, "PORTAL_RATELIMIT_STORAGE_URI": redis.uri}


@pytest.fixture
def start(environ: Mapping[str, str], tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a portal with some settings; all of them share one database."""
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())

        def start_site(**changed: str) -> Site:
            mail = {"PORTAL_MAIL_SERVER": "127.0.0.1", "PORTAL_MAIL_PORT": str(sink.port)}
            settings = load_settings(
                {**environ, **mail, **{f"PORTAL_{name}": value for name, value in changed.items()}}
            )
            site = Site(settings, sink)
            stack.callback(site.close)
            return site

        yield start_site


@pytest.fixture
def site(start: Start) -> Site:
    """Return a portal with the default settings."""
    return start()


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list to which every password that Argon2 hashes is added."""
    hashed: list[bytes] = []
    compute = argon2.low_level.hash_secret

    def recorded(secret: bytes, *arguments: Any, **options: Any) -> bytes:
        hashed.append(secret)
        return compute(secret, *arguments, **options)

    monkeypatch.setattr(argon2.low_level, "hash_secret", recorded)
    return hashed
