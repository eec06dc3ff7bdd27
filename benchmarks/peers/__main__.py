"""`python -m benchmarks.peers`: measure the portal and its peers in the same rounds."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import report, requests, starts
from benchmarks.instance import CHECKOUT, PASSWORD, Instance, temporary_instance
from benchmarks.requests import PORTAL, Site, SiteRequests
from benchmarks.rows import ROWS, Measured
from benchmarks.servers import Server, bare_server, portal_server, wsgi_server

_PYTHON = str(CHECKOUT / "build" / "peers" / "bin" / "python")
_ROWS = ("login-page", "account", "sign-in", "reset-known", "reset-unknown")
_CUSTOMERS = 1000
"""In the database of each, beside those who sign in."""


@dataclass(frozen=True)
class _Peer:
    """A module of this package, its distributions in their order in the report, and its pages."""

    module: str
    title: str
    distributions: tuple[str, ...]
    site: Site

    @contextmanager
    def server(self, instance: Instance) -> Iterator[Server]:
        with wsgi_server(instance, _PYTHON, f"benchmarks.peers.{self.module}", self.site.login) as server:
            yield server

    def create_customers(self, instance: Instance) -> None:
        self._emails(instance).mkdir()
        command = f"import sys; from benchmarks.peers.{self.module} import create_customers as create; "
        command += "create(sys.stdin.read().split(), sys.argv[1])"
        emails = [*instance.customers, *(f"customer-{number:04}@example.com" for number in range(_CUSTOMERS))]
        given = "\n".join(emails).encode()
        subprocess.run(
            [_PYTHON, "-c", command, PASSWORD], check=True, cwd=CHECKOUT, env=instance.environment, input=given
        )

    def check_emails(self, instance: Instance, expected: int) -> None:
        """Check that so many emails with a reset link were written, since the page does not tell.

        Django may write several emails of the same second to one file.
        """
        texts = [path.read_text() for path in self._emails(instance).iterdir()]
        links = sum("/reset/" in email for text in texts for email in text.split("\nMessage-ID:")[1:])
        assert links == (expected if self.site.reset else 0), f"{self.title}: {links} reset links"

    def _emails(self, instance: Instance) -> Path:
        return instance.path / f"{self.module}-emails"


_PEERS = (
    _Peer("tutorial", "tutorial", ("Flask-Login", "Flask-WTF", "Flask-SQLAlchemy"), Site(reset="")),
    _Peer(
        "security",
        "Flask-Security",
        ("Flask-Security",),
        Site(reset="/reset", reset_text="Instructions to reset your password have been sent"),
    ),
    _Peer(
        "allauth",
        "allauth",
        ("Django", "django-allauth"),
        Site(
            login="/accounts/login/",
            email_field="login",
            session_cookie="sessionid",
            reset="/accounts/password/reset/",
            reset_target="/accounts/password/reset/done/",
        ),
    ),
)


def main() -> None:
    report.run_section("bench-peers", "Measure the portal beside peers.", _text)


def _text(rounds: int) -> str:
    return f"{_table(_measure(rounds))}\n\n{report.conditions(rounds)} {_versions()}"


def _measure(rounds: int) -> list[Mapping[str, Measured]]:
    """Return the rows of the portal and of each peer."""
    with temporary_instance(_CUSTOMERS) as instance:
        for peer in _PEERS:
            peer.create_customers(instance)
        servers = [partial(server, instance) for server in (portal_server, *(peer.server for peer in _PEERS))]
        started = starts.take_turns(servers, partial(bare_server, instance), rounds)
        with ExitStack() as running:
            reference = running.enter_context(bare_server(instance))
            sites = [
                SiteRequests(instance, running.enter_context(server()), site)
                for server, site in zip(servers, [PORTAL, *(peer.site for peer in _PEERS)], strict=True)
            ]
            answered = requests.take_turns(instance, reference, sites, _ROWS, rounds)
        for peer in _PEERS:
            peer.check_emails(instance, (rounds + 1) * requests.FORMS)
    return [measured | start for measured, start in zip(answered, started, strict=True)]


def _table(columns: list[Mapping[str, Measured]]) -> str:
    titles = ["portal", *(peer.title for peer in _PEERS), "bare reference"]
    rows = [["", "unit", *titles]]
    for name in (*_ROWS, *starts.NAMES):
        row = ROWS[name]
        cells = [report.number(row, column[name].value if name in column else None) for column in columns]
        bare = report.number(row, columns[0][name].bare_value)
        rows.append([row.text, row.unit, *cells, bare])
    return report.markdown_table(*rows)


def _versions() -> str:
    names = [name for peer in _PEERS for name in peer.distributions]
    command = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    found = subprocess.run([_PYTHON, "-c", command, *names], check=True, capture_output=True, text=True)
    return ", ".join(f"{name} {version}" for name, version in zip(names, found.stdout.split(), strict=True)) + "."


if __name__ == "__main__":
    main()
