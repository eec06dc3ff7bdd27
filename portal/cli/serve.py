"""`portal serve`: the WSGI server, with the mail worker inside it on SQLite."""

import dataclasses
import errno
import logging
import os
import socket
import tomllib
from ipaddress import ip_address
from time import monotonic, sleep

import click

from portal.cli.errors import PlainCommand
from portal.instance import prepare_database, secret_key, serves_alone
from portal.logs import configure_logging
from portal.settings import PREFIX, SETTINGS_FILE, Settings, WrongSetting, load_settings

_log = logging.getLogger("portal.serve")

BACKLOG = 2048
PATIENCE_SECONDS = 4.0
"""For a port that is taken: the workers of a portal that was killed let go of theirs within a second or two."""


@click.command(cls=PlainCommand)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="H", help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option("--threads", type=click.IntRange(1, 1024), default=16, show_default=True, help="Threads in each process.")
def serve(host: str, port: int, workers: int, threads: int) -> None:
    """Serve the portal.

    Until SIGTERM or Ctrl-C; running requests then end, and so does the mail that is being sent.

    On SQLite the database of a new instance is made, an older one is migrated, and mail is delivered from here; an
    instance that has lost its database is refused. With another database, `portal db upgrade` and `portal worker` do
    these things.
    """
    # Only the command that serves pays for the import.
    from portal.cli.server import Server

    settings = _with_base_url(load_settings(), host, port)
    configure_logging(settings)
    if settings.metrics_port == port:
        raise WrongSetting("metrics_port", "must be another port than that of the portal.")
    with _listen(host, port, "--port") as listener:  # closed again, unless the server has taken it
        if settings.metrics_port:
            # The processes share it among themselves, and would with any other portal, too.
            _listen(listener.getsockname()[0], settings.metrics_port, f"{PREFIX}METRICS_PORT").close()
        secret_key(settings)
        prepare_database(settings)
        # With a database that can be shared there may be other portals, of other instances: on other machines, too.
        is_alone = settings.is_embedded and serves_alone(settings)
        if settings.ratelimit_storage_uri == "memory://" and (workers > 1 or not is_alone):
            _log.warning("each process counts limits for itself: set %sRATELIMIT_STORAGE_URI", PREFIX)
        server = Server(settings, listener, workers=workers, threads=threads)
    server.run()


def _with_base_url(settings: Settings, host: str, port: int) -> Settings:
    """Settings whose BASE_URL, when nobody has set one, is where the server listens."""
    if PREFIX + "BASE_URL" in os.environ or "base_url" in _settings_file(settings):
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


def _listen(host: str, port: int, choice: str) -> socket.socket:
    """A socket that listens already, so that the port cannot be lost to another start meanwhile.

    A port that stays taken is one line, which names what it was chosen with; gunicorn would stop in a heap of words.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise click.BadParameter(f"{host!r} is no address of this machine.", param_hint="'--host'") from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    patience_ends = monotonic() + PATIENCE_SECONDS
    while True:
        try:
            listener.bind(address)
            listener.listen(BACKLOG)
            return listener
        except OSError as error:
            if error.errno == errno.EADDRINUSE and monotonic() < patience_ends:
                sleep(PATIENCE_SECONDS / 20)
                continue
            listener.close()
            if error.errno == errno.EADDRINUSE:
                raise click.ClickException(
                    f"Port {port} on {host} is taken: stop what uses it, or choose another with {choice}."
                ) from None
            raise click.ClickException(
                f"Cannot listen on port {port} of {host} ({choice}): {error.strerror}."
            ) from None
