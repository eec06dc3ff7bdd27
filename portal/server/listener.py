"""The listening socket and its connections: their maximum number, timeouts and shutdown."""

import logging
import socket
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from portal.security_headers import MAX_BODY
from portal.server.connection import CLOSE_SECONDS, KEEPALIVE_SECONDS, Connection
from portal.server.parser import MAX_HEAD

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger("portal.serve")

Sockets = dict[int, Any]
"""The dispatchers of a loop by file descriptor; the stubs of waitress have sockets instead."""
BACKLOG = 2048
"""Connections that wait in the kernel (at most net.core.somaxconn) until they are accepted."""
GRACE_SECONDS = 0.5
"""The time for which a new or active connection is not closed for others, since a request may be on its way."""
ACCEPT_PAUSE_SECONDS = 0.5
"""The pause in accepting after the system had no file descriptor for a connection."""
LOG_INTERVAL_SECONDS = 60.0
"""The minimum time between two log lines about that."""


@dataclass(frozen=True)
class Capacity:
    """How much a listener handles at the same time."""

    page_threads: int
    form_threads: int
    waiting_forms: int
    """Forms that wait for a thread; more are refused."""
    connections: int


class Listener(TcpWSGIServer):
    """An application on a listening socket, with its own threads; listeners with the same `sockets` share a loop.

    Forms and API calls that change something have threads of their own, because they wait for password hashes and for
    the write lock of the database: pages must not wait behind them.
    """

    channel_class = Connection
    active_channels: dict[int, Connection]  # type: ignore[assignment] # the stubs have a single channel
    is_ending = False
    idle_seconds = KEEPALIVE_SECONDS
    _paused_until = _not_logged_until = _next_check = 0.0

    def __init__(
        self,
        application: "WSGIApplication",
        listening: socket.socket,
        sockets: Sockets,
        capacity: Capacity,
    ) -> None:
        host = listening.getsockname()
        super().__init__(
            application,
            sockets,
            _sock=listening,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, host),
            threads=capacity.page_threads,
            backlog=BACKLOG,
            connection_limit=capacity.connections,
            max_request_header_size=MAX_HEAD,
            max_request_body_size=MAX_BODY + 1,  # waitress refuses a body of exactly this size
            clear_untrusted_proxy_headers=False,  # the application does, by TRUSTED_PROXIES
            ident=None,
            server_name=host[0],
        )
        self._form_dispatcher = ThreadedTaskDispatcher()
        self._form_dispatcher.set_thread_count(capacity.form_threads)
        self._max_waiting_forms = capacity.waiting_forms

    @property
    def connections(self) -> list[Connection]:
        """The open connections."""
        return list(self.active_channels.values())

    @property
    def waiting_forms(self) -> int:
        """The number of forms and API calls that wait for a thread."""
        return len(self._form_dispatcher.queue)

    def readable(self) -> bool:
        """Return whether to accept a connection."""
        is_full = len(self.active_channels) >= self.adj.connection_limit
        return self.accepting and not is_full and monotonic() >= self._paused_until

    def accept(self) -> tuple[socket.socket, object] | None:
        """Accept a connection; return None when the system has no resources for it."""
        try:
            return super().accept()
        except OSError as error:  # mostly no file descriptor is left; without a pause the loop would use all the CPU
            now = monotonic()
            self._paused_until = now + ACCEPT_PAUSE_SECONDS
            if now >= self._not_logged_until:
                self._not_logged_until = now + LOG_INTERVAL_SECONDS
                _log.error("cannot accept a connection: %s", error.strerror)
            self._make_room(now)
            return None

    def handle_error(self) -> None:
        """Log an exception and keep listening; waitress would close the listening socket."""
        _log.exception("a connection could not be accepted")

    def handle_close(self) -> None:
        """Keep listening when a connection has disconnected; waitress would close the listening socket."""

    def add_task(self, task: Any) -> None:
        """Let a thread handle the next request of a connection as soon as the previous response is sent."""
        if self.is_ending:
            _close_afterwards(task)
        if task.total_outbufs_len:
            task.is_held = True
            return
        task.waiting_since = monotonic()
        if task.is_form and self.waiting_forms >= self._max_waiting_forms:
            task.refuse()
        (self._form_dispatcher if task.is_form else self.task_dispatcher).add_task(task)

    def close_overdue_connections(self) -> None:
        """Close connections after their timeout, and one more when there is no room; called after each loop turn."""
        now = monotonic()
        if len(self.active_channels) >= self.adj.connection_limit:
            self._make_room(now)
        if now >= self._next_check:
            self._next_check = now + 0.1
            for connection in self.connections:
                if connection.is_overdue(now):
                    connection.give_up(408)

    def end(self) -> None:
        """Stop listening; requests of open connections, and of those that wait in the kernel, are still handled."""
        before = -1
        while before < len(self.active_channels) < self.adj.connection_limit:
            before = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)
        self.is_ending, self.idle_seconds = True, CLOSE_SECONDS
        for connection in self.connections:
            _close_afterwards(connection)
            if connection.is_idle:
                connection.since = monotonic()

    def stop_threads(self) -> None:
        """Stop all threads, within a second each kind."""
        for dispatcher in (self.task_dispatcher, self._form_dispatcher):
            dispatcher.shutdown(timeout=1)

    def _make_room(self, now: float) -> None:
        """Close the connection that has been inactive for the longest time."""
        waiting = [each for each in self.connections if not each.is_served and each.since < now - GRACE_SECONDS]
        if waiting:
            min(waiting, key=lambda each: each.since).give_up(503)


def _close_afterwards(connection: Connection) -> None:
    for request in connection.requests:
        request.headers = {**request.headers, "CONNECTION": "close"}
