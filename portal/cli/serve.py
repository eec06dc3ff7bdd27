"""`portal serve`: the WSGI server, with the mail worker inside it on SQLite."""

import dataclasses
import errno
import logging
import os
import socket
import tomllib
from contextlib import AbstractContextManager, nullcontext
from ipaddress import ip_address

import click

from portal import create_app
from portal.cli.errors import PlainCommand
from portal.domain.passwords.hashing import MAX_QUEUED_HASHES
from portal.instance_dir import prepare_database, secret_key, serves_alone
from portal.logging_setup import configure_logging
from portal.settings import (
    PREFIX,
    SETTINGS_FILE,
    Settings,
    WrongSetting,
    load_settings,
    warn_of_unknown_variables,
)
from portal.threads import CORES

_log = logging.getLogger("portal.serve")

_THREADS_BESIDE_HASHES = 16
"""Threads that are left for pages while as many requests as are allowed to wait for the hash of a password."""


@click.command(cls=PlainCommand)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=CORES + MAX_QUEUED_HASHES + _THREADS_BESIDE_HASHES,
    show_default=f"{MAX_QUEUED_HASHES + _THREADS_BESIDE_HASHES}, and one for each core",
    help="How many requests are answered at a time.",
)
def serve(host: str, port: int, threads: int) -> None:
    """Serve the portal, in one process.

    Until SIGTERM or Ctrl-C; running requests then end, and so does the mail that is being sent.

    On SQLite the database of a new instance is made, an older one is migrated, and mail is delivered from here; an
    instance that has lost its database is refused. With another database, `portal db upgrade` and `portal worker` do
    these things.
    """
    from portal.server.lifecycle import run  # only the command that serves pays for the server

    settings = _with_base_url(load_settings(), host, port)
    configure_logging(settings)
    warn_of_unknown_variables()
    if settings.metrics_port == port:
        raise WrongSetting("metrics_port", "must be another port than that of the portal.")
    with (
        _listen(host, port, "--port") as listening,
        _listen_for_scrapes(settings, listening) as scraped,
    ):
        secret_key(settings)
        prepare_database(settings)
        # With a database that can be shared there may be other portals, of other instances: on other machines, too.
        is_alone = settings.is_embedded and serves_alone(settings)
        if settings.ratelimit_storage_uri == "memory://" and not is_alone:
            _log.warning("each process counts limits for itself: set %sRATELIMIT_STORAGE_URI", PREFIX)
        app = create_app(settings)
        _announce(settings)
        run(app, listening, scraped, threads=threads)


def _announce(settings: Settings) -> None:
    click.echo(f"Portal:   {settings.base_url}/")
    if settings.mail_server is None and settings.is_loopback and settings.trusted_proxies == 0:
        click.echo(f"Mailbox:  {settings.base_url}/dev/mailbox")


def _with_base_url(settings: Settings, host: str, port: int) -> Settings:
    """Settings whose BASE_URL, when nobody has set one, is where the server listens."""
    if os.environ.get(PREFIX + "BASE_URL") or _settings_file(settings).get("base_url"):
        return settings
    try:
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1"
        elif address.version == 6:
            host = f"[{host}]"
    except ValueError:
        pass  # a name
    return dataclasses.replace(settings, base_url=f"http://{host}:{port}")


def _settings_file(settings: Settings) -> dict[str, object]:
    path = settings.instance_path / SETTINGS_FILE
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _listen_for_scrapes(settings: Settings, listening: socket.socket) -> AbstractContextManager[socket.socket | None]:
    """Where metrics are asked for, if anywhere: beside the portal, on the address that it has."""
    if settings.metrics_port is None:
        return nullcontext()
    return _listen(listening.getsockname()[0], settings.metrics_port, f"{PREFIX}METRICS_PORT")


def _listen(host: str, port: int, choice: str) -> socket.socket:
    """A socket that is bound already, so that the port cannot be lost to another start meanwhile.

    A port that is taken is one line, which names what it was chosen with. One that a portal has just let go of is not
    (SO_REUSEADDR).
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise click.BadParameter(f"{host!r} is no address of this machine.", param_hint="'--host'") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        problem = (
            f"Port {port} on {host} is taken: stop what uses it, or choose another with {choice}."
            if error.errno == errno.EADDRINUSE
            else f"Cannot listen on port {port} of {host} ({choice}): {error.strerror}."
        )
        raise click.ClickException(problem) from None
    return listening
