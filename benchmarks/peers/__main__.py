"""`python -m benchmarks.peers`: measure the portal and its peers in the same rounds."""

import argparse
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
_BEGIN = "<!-- written by make bench-peers -->\n"


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
        """Check that so many emails with a reset link were written, since the page does not tell."""
        links = sum("/reset/" in path.read_text() for path in self._emails(instance).iterdir())
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
    """Measure, print the table, and with --save write it to docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Measure the portal beside peers.")
    parser.add_argument("--rounds", type=int, default=11, metavar="N", help="rounds, of which medians are taken (11)")
    parser.add_argument("--save", action="store_true", help="write the table to docs/performance.md")
    arguments = parser.parse_args()
    table = f"\n{_table(_measure(arguments.rounds))}\n\n{_conditions(arguments.rounds)}\n\n"
    print(table)
    if arguments.save:
        report.write_between(_BEGIN, table)


def _measure(rounds: int) -> list[Mapping[str, Measured]]:
    """Return the rows of the portal and of each peer."""
    with temporary_instance(_CUSTOMERS) as instance:
        for peer in _PEERS:
            peer.create_customers(instance)
        servers = [portal_server, *(peer.server for peer in _PEERS)]
        started = starts.take_turns(instance, servers, rounds)
        with ExitStack() as running:
            reference = running.enter_context(bare_server(instance))
            sites = [
                SiteRequests(instance, running.enter_context(server(instance)), site)
                for server, site in zip(servers, [PORTAL, *(peer.site for peer in _PEERS)], strict=True)
            ]
            answered = requests.take_turns(instance, reference, sites, _ROWS, rounds)
        for peer in _PEERS:
            peer.check_emails(instance, (rounds + 1) * requests.FORMS)
    return [measured | start for measured, start in zip(answered, started, strict=True)]


def _table(columns: list[Mapping[str, Measured]]) -> str:
    titles = ["portal", *(peer.title for peer in _PEERS), "bare reference"]
    lines = [f"| | unit | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"]
    for name in (*_ROWS, *starts.NAMES):
        row = ROWS[name]
        cells = [report.number(row, column[name].value if name in column else None) for column in columns]
        bare = report.number(row, columns[0][name].bare_value)
        lines.append(f"| {row.text} | {row.unit} | {' | '.join([*cells, bare])} |")
    return "\n".join(lines)


def _conditions(rounds: int) -> str:
    names = [name for peer in _PEERS for name in peer.distributions]
    command = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    found = subprocess.run([_PYTHON, "-c", command, *names], check=True, capture_output=True, text=True)
    versions = ", ".join(f"{name} {version}" for name, version in zip(names, found.stdout.split(), strict=True))
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"{where}, medians of {rounds} rounds. {versions}."


if __name__ == "__main__":
    main()
