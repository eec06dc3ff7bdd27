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
from portal.cli.loading import loading
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

_PAGE_THREADS = 16
FORM_THREADS = CORES + MAX_QUEUED_HASHES
"""Threads for forms and API calls that change something: as many as may wait for a password hash."""


@click.command(cls=PlainCommand)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="The port to listen on.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    default=_PAGE_THREADS,
    show_default=True,
    help="The number of pages that are served at the same time, beside sign-ins and other forms.",
)
def serve(host: str, port: int, threads: int) -> None:
    """Serve the portal in one process.

    Runs until SIGTERM or Ctrl-C, then finishes running requests and the email that is being sent.

    On SQLite this creates the database of a new instance, migrates an older one and delivers email; it refuses an
    instance that has lost its database. With PostgreSQL, use `portal db upgrade` and `portal worker` for that.
    """
    with loading():
        from portal.server.lifecycle import run  # slow to import, and no other command needs the server

    settings = _with_base_url(load_settings(), host, port)
    configure_logging(settings)
    warn_of_unknown_variables()
    if settings.metrics_port == port:
        raise WrongSetting("metrics_port", "must differ from the port of the portal")
    with (
        _listen(host, port, "--port") as listening,
        _listen_for_scrapes(settings, listening) as scraped,
    ):
        secret_key(settings)
        prepare_database(settings)
        # PostgreSQL may serve other instances, on other machines, too.
        is_alone = settings.is_embedded and serves_alone(settings)
        if settings.ratelimit_storage_uri == "memory://" and not is_alone:
            _log.warning("%sRATELIMIT_STORAGE_URI: each process counts its own limits; set redis://", PREFIX)
        with loading():
            app = create_app(settings)
        _announce(settings)
        run(app, listening, scraped, threads=threads, form_threads=FORM_THREADS)


def _announce(settings: Settings) -> None:
    click.echo(f"Portal:   {settings.base_url}/")
    if settings.mail_server is None and settings.is_loopback and settings.trusted_proxies == 0:
        click.echo(f"Mailbox:  {settings.base_url}/dev/mailbox")


def _with_base_url(settings: Settings, host: str, port: int) -> Settings:
    """Return the settings with the server's own address as BASE_URL when none is set."""
    if os.environ.get(PREFIX + "BASE_URL") or _settings_file(settings).get("base_url"):
        return settings
    try:
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1"
        elif address.version == 6:
            host = f"[{host}]"
    except ValueError:
        pass  # a host name
    return dataclasses.replace(settings, base_url=f"http://{host}:{port}")


def _settings_file(settings: Settings) -> dict[str, object]:
    path = settings.instance_path / SETTINGS_FILE
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _listen_for_scrapes(settings: Settings, listening: socket.socket) -> AbstractContextManager[socket.socket | None]:
    """Return a socket for METRICS_PORT, if set, on the address of the portal's own socket."""
    if settings.metrics_port is None:
        return nullcontext()
    return _listen(listening.getsockname()[0], settings.metrics_port, f"{PREFIX}METRICS_PORT")


def _listen(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket, bound early so that no other process can take the port during the start.

    Raises ClickException that names the option or setting of the port when the port is in use. SO_REUSEADDR allows a
    port that another portal has just closed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise click.BadParameter(f"{host!r} is not an address of this machine.", param_hint="'--host'") from None
    family, kind, protocol, _, address = found[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        problem = (
            f"Port {port} on {host} is in use; stop the other program, or choose another port with {option}."
            if error.errno == errno.EADDRINUSE
            else f"Cannot listen on port {port} of {host} ({option}): {error.strerror}."
        )
        raise click.ClickException(problem) from None
    return listening
