"""gunicorn, embedded: its signals, its mail thread and its silence as the portal wants them."""

import logging
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, cast

import click
from flask import Flask
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.http import wsgi
from gunicorn.workers.base import Worker

from portal.assembly import context_of, settings_of
from portal.cli.errors import plain_errors
from portal.cli.gathering import GatheringWorker
from portal.cli.open_files import room_for_connections
from portal.cli.plain_answer import write_error
from portal.cli.worker import MailThread
from portal.domain.threads import running_pool
from portal.settings import Settings
from portal.web.health import stop_being_ready

GRACEFUL_SECONDS = 30
"""How long running requests, and the mail that is being sent, may take after SIGTERM."""
KEEPALIVE_SECONDS = 5
LINGER_SECONDS = 2.0
"""How long connections stay open that have not begun a request when the server ends."""
SILENCE_SECONDS = 60
"""A worker process whose loop has not turned for so long is replaced."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn's own file there has no name


class Server(BaseApplication):
    """The portal behind gunicorn's threads."""

    def __init__(self, settings: Settings, listener: socket.socket, *, workers: int, threads: int) -> None:
        self._settings = settings
        self._options: dict[str, Any] = {
            **_address(listener, workers),
            "workers": workers,
            "threads": threads,
            "worker_connections": room_for_connections(threads),
            "worker_class": PortalWorker,
            "worker_tmp_dir": str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else None,
            "timeout": SILENCE_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "keepalive": KEEPALIVE_SECONDS,
            "accesslog": None,  # the portal writes its own, without the tokens in paths
            "errorlog": None,  # see run()
            "loglevel": "warning",
            # Who may forward what is TRUSTED_PROXIES' business alone; gunicorn would believe any peer on loopback.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "control_socket_disable": True,
            **({"child_exit": _forget_process} if settings.metrics_port else {}),
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its settings; it reads no file and no variable for them."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:  # type: ignore[override] # a Flask is a WSGI application, only more precisely typed
        """Make the app, in each worker process: nothing open is shared between processes."""
        from portal import create_app  # which imports the commands

        try:
            with plain_errors():
                return create_app(self._settings)
        except click.ClickException as error:
            raise AppImportError(f"Error: {error.message}") from None

    def run(self) -> None:
        """Serve until a signal ends it; exits the process."""
        # What gunicorn has to say goes where, and looks as, the portal's own log does.
        log = logging.getLogger("gunicorn.error")
        log.handlers = logging.getLogger("portal").handlers
        log.addFilter(_without_what_was_sent)
        # gunicorn has no setting for these.
        util.write_error = write_error
        wsgi.Response = QuietResponse  # type: ignore[misc]
        with _shared_counters() if self._settings.metrics_port else nullcontext():
            GracefulArbiter(self).run()


@contextmanager
def _shared_counters() -> Iterator[None]:
    """A folder in which all processes count; prometheus_client looks for it when it is imported."""
    own, folder = os.getpid(), tempfile.mkdtemp(prefix="portal-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == own:  # a forked worker ends on the same way
            shutil.rmtree(folder, ignore_errors=True)


def _forget_process(_arbiter: Arbiter, worker: Worker) -> None:
    """A worker process has ended: what it had in hand is over, what it counted stays counted."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)


def _without_what_was_sent(record: logging.LogRecord) -> bool:
    """Cut what gunicorn quotes of a request that it cannot read or answer: it may be a key or a token."""
    if isinstance(record.msg, str) and record.msg.startswith("Invalid request from ip="):
        record.msg = record.msg.partition(": ")[0]
    elif isinstance(record.msg, str) and record.msg.startswith("Error handling request"):
        record.msg, record.args = "Error handling request", ()
    return True


class QuietResponse(wsgi.Response):
    """A response that does not say which server sent it."""

    def default_headers(self) -> list[str]:
        """The headers that every response begins with."""
        return [line for line in super().default_headers() if not line.startswith("Server:")]


class GracefulArbiter(Arbiter):
    """The process that watches over the workers; every wish to end it is SIGTERM to it.

    gunicorn cuts running requests off at SIGINT, and a closed terminal (SIGHUP) would leave it running unseen.
    """

    def init_signals(self) -> None:
        """Begin to listen to signals."""
        outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # nohup
        super().init_signals()
        if outlives_terminal:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queue a signal; nothing else is safe in a signal handler."""
        super().signal(signal.SIGTERM if sig in (signal.SIGINT, signal.SIGHUP) else sig, frame)


class PortalWorker(GatheringWorker):
    """A process that serves requests and, on SQLite, delivers the mail that they queue."""

    _mail: MailThread | None = None
    _refuses = False

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """All threads, from the start: one that cannot be begun later ends gunicorn's main loop, and every request."""
        return running_pool(self.cfg.threads, "request")

    def init_signals(self) -> None:
        """Leave it to the arbiter what Ctrl-C and a closed terminal mean: both reach the whole group of processes."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        if self.alive:
            self.method_queue.defer(self._take_nothing_new)  # in the main loop: a signal handler may take no lock
        super().handle_exit(sig, frame)

    def _take_nothing_new(self) -> None:
        """Begin no further mail, and refuse connections: left to gunicorn, they would wait for an answer in vain.

        Whoever asks on a connection that is open already whether to send more here is told not to.
        """
        stop_being_ready(cast(Flask, self.wsgi))
        if self._mail is not None:
            self._mail.stop()
        self.set_accept_enabled(False)
        for listener in self.sockets:
            self._accept_who_waits(listener)
            listener.close()
        self._refuses = True
        self.hurry(LINGER_SECONDS)

    def accept(self, listener: socket.socket) -> None:
        """Take in one connection. The turn of the loop that ends it all may still hold the news of one."""
        if not self._refuses:
            super().accept(listener)

    def _accept_who_waits(self, listener: socket.socket) -> None:
        """Take in those whom the kernel has told already that they are connected."""
        before = -1
        while before < self.nr_conns < self.worker_connections:
            before = self.nr_conns
            self.accept(listener)

    def run(self) -> None:
        """Serve until SIGTERM. The mail that is being sent then is finished before the process ends."""
        app = cast(Flask, self.wsgi)
        settings = settings_of(app)
        if self.age == 1:
            _announce(settings)
        if settings.metrics_port:
            from portal.metrics import serve_metrics  # only who wants metrics pays for them

            serve_metrics(context_of(app), self.sockets[0].getsockname()[0], settings.metrics_port)
        if not settings.is_embedded:
            super().run()
            return
        self._mail = MailThread(app)
        self._mail.start()
        try:
            super().run()
        finally:
            self._mail.stop()
            self._mail.join()


def _address(listener: socket.socket, workers: int) -> dict[str, Any]:
    """What gunicorn is to listen on: the address that `listener` holds.

    One process takes the socket itself. Several listen side by side (SO_REUSEPORT), so that the kernel spreads the
    connections; on one common socket, all that are kept alive may land in one process.
    """
    if workers == 1:
        return {"bind": f"fd://{listener.detach()}"}
    host, port = listener.getsockname()[:2]
    listener.close()
    return {"bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "reuse_port": True}


def _announce(settings: Settings) -> None:
    click.echo(f"Portal:   {settings.base_url}/")
    if settings.mail_server is None and settings.is_loopback and settings.trusted_proxies == 0:
        click.echo(f"Mailbox:  {settings.base_url}/dev/mailbox")
