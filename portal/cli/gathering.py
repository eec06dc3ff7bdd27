"""Requests are gathered whole before a thread is spent on them.

gunicorn gives each connection a thread that waits for whatever comes, so that as many slow visitors as there are
threads would stop everybody else. Here the main loop, which waits for all connections at once, reads what arrives; a
thread gets a request that is complete, or that will be refused whatever follows.

Nobody is kept out by those who hold connections and ask for nothing: where there is no room for one more, whoever has
been silent the longest has to go.
"""

import logging
import socket
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from time import monotonic
from typing import Any

from gunicorn.config import Config
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal.cli.chunks import ChunkedBody
from portal.cli.plain_answer import write_error
from portal.cli.steps import Step, next_step, waits_for_a_word
from portal.requests import MAX_BODY

_log = logging.getLogger("portal.serve")

REQUEST_SECONDS = 15.0
"""From the first sign of a request to its last byte."""
GRACE_SECONDS = 0.5
"""How long nobody has to make room for others who has just come and may be about to ask."""
LEAVE_SECONDS = 2.0
"""How long a client that was answered for the last time may take to close its end."""
REST_SECONDS = 0.5
"""How long nobody is taken in when the system has no descriptor for a connection and none can be set free."""
TELL_SECONDS = 60.0
"""How often at most the log says that the system takes no connections in."""


class GatheredConnection(TConn):
    """A connection with what has arrived of its next request."""

    def __init__(self, cfg: Config, client: socket.socket, address: tuple[str, int], server: tuple[str, int]) -> None:
        super().__init__(cfg, client, address, server)
        self.gathered = bytearray()
        self.chunks = ChunkedBody()
        self.encouraged = False
        self.is_whole = True
        """What a thread was given is all of the request."""
        self.since = 0.0
        self.is_leaving = False
        """It was answered for the last time."""


Connection = Any
"""A GatheredConnection; gunicorn's stubs know only its base class, and a deadline and a parser that may be None."""


class GatheringWorker(ThreadWorker):
    """gunicorn's threads, for whole requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._was_refused = False
        self._rests_until = self._silent_until = 0.0

    def accept(self, listener: socket.socket) -> None:
        """Take in one connection, and wait for it without a thread."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptor is left, as a rule; the worker goes on in any case
            self._was_refused = True
            if monotonic() >= self._silent_until:
                self._silent_until = monotonic() + TELL_SECONDS
                _log.error("a connection cannot be taken in: %s", error.strerror)
            return
        self.nr_conns += 1
        self._gather(GatheredConnection(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """The next request of a connection that was kept alive begins."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._gather(conn)

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """More of a request has arrived."""
        try:
            arrived = client.recv(MAX_BODY)
        except BlockingIOError:
            return
        except OSError:
            arrived = b""
        if arrived and conn.is_leaving:
            return
        conn.gathered += arrived
        step = _next_step(conn) if arrived else Step.HAND_OVER
        if step is Step.WAIT:
            _encourage(conn)
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        if not arrived:
            self._close(conn)
        else:
            self._take(conn, step)

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Begin or stop to look for new connections; begin not before a rest is over."""
        super().set_accept_enabled(bool(enabled) and monotonic() >= self._rests_until)

    def murder_pending(self) -> None:
        """Give up on requests that have not come to an end in time, and make room for one more connection."""
        now = monotonic()
        pending: list[Connection] = list(self.pending_conns)
        for conn in pending:
            if conn.timeout <= now:
                self._give_up(conn, 408, "Request Timeout")
        # Here, and not as soon as it is noticed: the turn of the loop may hold news of whoever is let go.
        if self._was_refused:
            self._was_refused = False
            if not self._make_room():
                # The listener has news all the while: the loop would turn as fast as it can.
                self._rests_until = now + REST_SECONDS
                self.set_accept_enabled(False)
        elif self.nr_conns >= self.worker_connections:
            self._make_room()

    def enqueue_req(self, conn: Connection) -> None:
        """Go on with what was read beyond the request before: it may be the next one, or a part of it."""
        conn.gathered += conn.parser.unreader.take_buffered()
        step = _next_step(conn)
        if step is Step.WAIT:
            conn.sock.setblocking(False)
            self._gather(conn)
        else:
            self._take(conn, step)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Answer a request; whether the connection can be used again.

        It cannot where the rest of a body would have to be waited for: gunicorn does so in the thread, up to 5 seconds.
        """
        return super().handle_request(req, conn) and conn.is_whole

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        """Keep a connection for its next request, or take leave of the client.

        gunicorn waits in the main loop, for up to 2 seconds, until the client has closed its end: one that never does
        would stop everybody.
        """
        if fs.cancelled() or (fs.exception() is None and not fs.result()):
            self._take_leave(conn)
        else:
            super().finish_request(conn, fs)

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this for connections that have not begun a request: the worker is about to end."""
        pending: list[Connection] = list(self.pending_conns)
        for conn in pending:
            if not conn.gathered:
                conn.timeout = min(conn.timeout, monotonic() + seconds)

    def _take_leave(self, conn: Connection) -> None:
        """Say that no more will come, and let the client say so too: to close a connection with something unread in it
        may cost the client its answer (RFC 9112, section 9.6).
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has gone
            self._close(conn)
            return
        conn.is_leaving = True
        self._wait_for(conn, LEAVE_SECONDS)

    def _make_room(self) -> bool:
        """Let go of whoever has been silent the longest, one who waits for nothing first; whether there was one."""
        kept_alive: Connection | None = self.keepalived_conns[0] if self.keepalived_conns else None
        if kept_alive is not None:
            self.poller.unregister(kept_alive.sock)
            self.keepalived_conns.remove(kept_alive)
            self._close(kept_alive)
            return True
        oldest: Connection | None = self.pending_conns[0] if self.pending_conns else None
        if oldest is None or oldest.since > monotonic() - GRACE_SECONDS:
            return False
        self._give_up(oldest, 503, "Service Unavailable")
        return True

    def _give_up(self, conn: Connection, status: int, reason: str) -> None:
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)
        if conn.gathered:
            self._answer(conn, status, reason)
        else:
            self._close(conn)

    def _gather(self, conn: Connection) -> None:
        self._wait_for(conn, REQUEST_SECONDS)

    def _wait_for(self, conn: Connection, seconds: float) -> None:
        conn.since = monotonic()
        conn.timeout = conn.since + seconds
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _take(self, conn: Connection, step: Step) -> None:
        """Do what is next with a request that is waited for no longer."""
        if step in (Step.HAND_OVER, Step.HAND_OVER_PART):
            conn.is_whole = step is Step.HAND_OVER
            self._hand_over(conn)
        else:
            self._answer(conn, *step.value)

    def _hand_over(self, conn: Connection) -> None:
        """Let a thread answer, with what was gathered."""
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(bytes(conn.gathered))
        conn.gathered.clear()
        conn.chunks = ChunkedBody()
        conn.encouraged = False
        super().enqueue_req(conn)

    def _answer(self, conn: Connection, status: int, reason: str) -> None:
        with suppress(OSError):  # it may have gone
            write_error(conn.sock, status, reason)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()


def _encourage(conn: Connection) -> None:
    """Tell a client to send its body that waits to be told: curl, and so PHP, else waits a second for each request."""
    if not conn.encouraged and waits_for_a_word(conn.gathered):
        conn.encouraged = True
        with suppress(OSError):  # it may have gone
            conn.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")


def _next_step(conn: Connection) -> Step:
    return next_step(conn.gathered, conn.chunks)
