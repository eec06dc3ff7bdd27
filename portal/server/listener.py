"""The listening socket and its connections: their maximum number, threads, timeouts and shutdown."""

import socket
from time import monotonic
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from portal.security_headers import MAX_BODY
from portal.server.connection import Connection
from portal.server.parser import MAX_HEAD

Sockets = dict[int, Any]
"""The dispatchers of a loop by file descriptor; the stubs of waitress have sockets instead."""
BACKLOG = 2048
"""Connections that wait in the kernel (at most net.core.somaxconn) until they are accepted."""
ACCEPT_PAUSE_SECONDS = 5.0
"""The pause in accepting after the system had no file descriptor for a connection."""


class Listener(TcpWSGIServer):
    """An application on a listening socket, with its own threads; listeners with the same `sockets` share a loop.

    Forms and API calls that change something have threads of their own, because they wait for password hashes and for
    the write lock of the database: pages must not wait behind them. At most `waiting_forms` wait for one. Other
    limits are `adjustments` of waitress.
    """

    channel_class = Connection
    active_channels: dict[int, Connection]  # type: ignore[assignment] # the stubs have a single channel
    is_ending = False
    _paused_until = 0.0

    def __init__(
        self,
        application: WSGIApplication,
        listening: socket.socket,
        sockets: Sockets,
        *,
        form_threads: int,
        waiting_forms: int,
        **adjustments: Any,
    ) -> None:
        host = listening.getsockname()
        super().__init__(
            application,
            sockets,
            _sock=listening,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, host),
            backlog=BACKLOG,
            max_request_header_size=MAX_HEAD,
            max_request_body_size=MAX_BODY + 1,  # waitress refuses a body of exactly this size
            clear_untrusted_proxy_headers=False,  # the application does, by TRUSTED_PROXIES
            ident=None,
            server_name=host[0],
            **adjustments,
        )
        self._form_dispatcher = ThreadedTaskDispatcher()
        self._form_dispatcher.set_thread_count(form_threads)
        self._max_waiting_forms = waiting_forms

    @property
    def is_full(self) -> bool:
        """Whether a new connection needs another one to be closed."""
        return len(self.active_channels) >= self.adj.connection_limit or monotonic() < self._paused_until

    @property
    def waiting_forms(self) -> int:
        """The number of forms and API calls that wait for a thread."""
        return len(self._form_dispatcher.queue)

    def readable(self) -> bool:
        """Return whether to accept a connection."""
        return self.accepting and not self.is_full

    def accept(self) -> tuple[socket.socket, object] | None:
        """Accept a connection; return None when the system has no resources for it."""
        try:
            return super().accept()
        except OSError as error:  # mostly no file descriptor is left; without a pause the loop would use all the CPU
            self.logger.error("cannot accept a connection: %s", error.strerror)
            self._paused_until = monotonic() + ACCEPT_PAUSE_SECONDS
            return None

    def handle_close(self) -> None:
        """Keep listening after an error; waitress would close the listening socket."""

    def add_task(self, task: Any) -> None:
        """Let a thread handle the next request of a connection; refuse a form when too many wait.

        A client that pipelines requests and does not read must repeat them (RFC 9112, 9.3.2): its connection is closed
        after the response that waits for it, so that no more than one is in memory.
        """
        if task.total_outbufs_len:
            task.requests, task.close_when_flushed = [], True
            return
        task.since = monotonic()
        if task.is_form and self.waiting_forms >= self._max_waiting_forms:
            task.refuse_form()
        (self._form_dispatcher if task.is_form else self.task_dispatcher).add_task(task)

    def close_overdue_connections(self) -> None:
        """Close connections after their timeout, which is short as long as there is no room for another."""
        for connection in list(self.active_channels.values()):
            connection.close_if_overdue()

    def end(self) -> None:
        """Stop listening; requests of open connections, and of those that wait in the kernel, are still handled."""
        before = -1
        while before < len(self.active_channels) and not self.is_full:
            before = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)
        self.is_ending = True
        for connection in self.active_channels.values():
            connection.since = monotonic()

    def stop_threads(self) -> None:
        """Stop all threads, within a second each kind."""
        for dispatcher in (self.task_dispatcher, self._form_dispatcher):
            dispatcher.shutdown(timeout=1)
