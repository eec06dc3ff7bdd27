"""The listening socket and its connections: how many, for how long, and what becomes of them when the server ends."""

import logging
import socket
from time import monotonic
from typing import Any

from waitress import wasyncore
from waitress.server import TcpWSGIServer

from portal.security_headers import MAX_BODY
from portal.server.connection import KEEPALIVE_SECONDS, LEAVE_SECONDS, Connection
from portal.server.parser import MAX_HEAD

_log = logging.getLogger("portal.serve")

BACKLOG = 2048
"""Connections that wait in the kernel (which allows net.core.somaxconn at most) until they are accepted."""
GRACE_SECONDS = 0.5
"""How long a connection does not make room for others, since it may be about to ask."""
REST_SECONDS = 0.5
"""How long nothing is accepted after the system had no descriptor for a connection."""
TELL_SECONDS = 60.0
"""How often at most the log says so."""


class Listener(TcpWSGIServer):
    """An application at a listening socket, with threads of its own; several may share the loop of one `sockets`."""

    channel_class = Connection
    active_channels: dict[int, Connection]  # type: ignore[assignment] # which the stubs believe to be one channel
    is_ending = False
    idle_seconds = KEEPALIVE_SECONDS
    _rests_until = _silent_until = _next_look = 0.0

    def __init__(
        self, application: Any, listening: socket.socket, sockets: dict[int, Any], *, threads: int, connections: int
    ) -> None:
        host = listening.getsockname()
        super().__init__(
            application,
            sockets,
            _sock=listening,
            bind_socket=False,
            sockinfo=(listening.family, listening.type, listening.proto, host),
            threads=threads,
            backlog=BACKLOG,
            connection_limit=connections,
            max_request_header_size=MAX_HEAD,
            max_request_body_size=MAX_BODY + 1,  # waitress refuses what is as large as this
            clear_untrusted_proxy_headers=False,  # TRUSTED_PROXIES alone decides
            ident=None,
            server_name=host[0],
        )

    @property
    def connections(self) -> list[Connection]:
        """All that are open."""
        return list(self.active_channels.values())

    def readable(self) -> bool:
        """Whether to accept a connection."""
        is_full = len(self.active_channels) >= self.adj.connection_limit
        return self.accepting and not is_full and monotonic() >= self._rests_until

    def accept(self) -> Any:
        """Accept a connection, or None."""
        try:
            return super().accept()
        except OSError as error:  # no descriptor is left, as a rule; the loop would turn as fast as it can
            now = monotonic()
            self._rests_until = now + REST_SECONDS
            if now >= self._silent_until:
                self._silent_until = now + TELL_SECONDS
                _log.error("a connection cannot be taken in: %s", error.strerror)
            self._make_room(now)
            return None

    def handle_error(self) -> None:
        """Tell of a fault, and go on: waitress would close the listening socket."""
        _log.exception("a connection could not be accepted")

    def handle_close(self) -> None:
        """Stay: that one connection has gone is no reason for waitress to close the listening socket."""

    def add_task(self, task: Any) -> None:
        """Have a thread answer the next request of a connection, as soon as the answer before is sent."""
        if self.is_ending:
            _close_afterwards(task)
        if task.total_outbufs_len:
            task.is_held = True
        else:
            super().add_task(task)

    def look_after_connections(self) -> None:
        """Close those whose time is up, and make room for one more; to be called after each turn of the loop."""
        now = monotonic()
        if len(self.active_channels) >= self.adj.connection_limit:
            self._make_room(now)
        if now >= self._next_look:
            self._next_look = now + 0.1
            for connection in self.connections:
                if connection.is_overdue(now):
                    connection.give_up(408)

    def end(self) -> None:
        """Refuse connections from now on; answer who is here, and those whom the kernel has connected already."""
        before = -1
        while before < len(self.active_channels) < self.adj.connection_limit:
            before = len(self.active_channels)
            self.handle_accept()
        wasyncore.dispatcher.close(self)
        self.is_ending, self.idle_seconds = True, LEAVE_SECONDS
        for connection in self.connections:
            _close_afterwards(connection)
            if connection.is_idle:
                connection.since = monotonic()

    def _make_room(self, now: float) -> None:
        """Close whichever has been silent the longest."""
        waiting = [each for each in self.connections if not each.is_served and each.since < now - GRACE_SECONDS]
        if waiting:
            min(waiting, key=lambda each: each.since).give_up(503)


def _close_afterwards(connection: Connection) -> None:
    for request in connection.requests:
        request.headers = {**request.headers, "CONNECTION": "close"}
