"""Requests are gathered whole before a thread is spent on them.

gunicorn gives each connection a thread that waits for whatever comes, so that as many slow visitors as there are
threads would stop everybody else. Here the main loop, which waits for all connections at once, reads what arrives; a
thread gets a request that is complete, or that will be refused whatever follows.
"""

import re
import socket
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from time import monotonic
from typing import Any

from gunicorn.config import Config
from gunicorn.workers.gthread import TConn, ThreadWorker

from portal.cli.plain_answer import write_error
from portal.requests import MAX_BODY

REQUEST_SECONDS = 15.0
"""From the first sign of a request to its last byte."""
MAX_HEAD = 32 * 1024
"""Bytes of a request line and headers; the longest the portal itself can bring about are a tenth of that."""
_HEAD_END = b"\r\n\r\n"
_CHUNKED = re.compile(rb"\r\ntransfer-encoding[ \t]*:", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)


class GatheredConnection(TConn):
    """A connection with what has arrived of its next request."""

    def __init__(self, cfg: Config, client: socket.socket, address: tuple[str, int], server: tuple[str, int]) -> None:
        super().__init__(cfg, client, address, server)
        self.gathered = bytearray()


Connection = Any
"""A GatheredConnection; gunicorn's stubs know only its base class, and a deadline and a parser that may be None."""


class GatheringWorker(ThreadWorker):
    """gunicorn's threads, for whole requests."""

    def accept(self, listener: socket.socket) -> None:
        """Take in one connection, and wait for it without a thread."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
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
        conn.gathered += arrived
        if arrived and not _is_enough(conn.gathered) and not _is_chunked(conn.gathered):
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        if not arrived:
            self._close(conn)
        elif len(conn.gathered) > MAX_HEAD and _HEAD_END not in conn.gathered:
            self._answer(conn, 431, "Request Header Fields Too Large")
        elif _is_chunked(conn.gathered):
            self._answer(conn, 411, "Length Required")
        else:
            self._hand_over(conn)

    def murder_pending(self) -> None:
        """Give up on requests that have not come to an end in time."""
        now = monotonic()
        pending: list[Connection] = list(self.pending_conns)
        for conn in pending:
            if conn.timeout > now:
                continue
            self.pending_conns.remove(conn)
            self.poller.unregister(conn.sock)
            if conn.gathered:
                self._answer(conn, 408, "Request Timeout")
            else:
                self._close(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """Go on with what was read beyond the request before: it may be the next one, or a part of it."""
        conn.gathered += conn.parser.unreader.take_buffered()
        if _is_chunked(conn.gathered):
            self._answer(conn, 411, "Length Required")
        elif _is_enough(conn.gathered):
            self._hand_over(conn)
        else:
            conn.sock.setblocking(False)
            self._gather(conn)

    def hurry(self, seconds: float) -> None:
        """Wait no longer than this for connections that have not begun a request: the worker is about to end."""
        pending: list[Connection] = list(self.pending_conns)
        for conn in pending:
            if not conn.gathered:
                conn.timeout = min(conn.timeout, monotonic() + seconds)

    def _gather(self, conn: Connection) -> None:
        conn.timeout = monotonic() + REQUEST_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _hand_over(self, conn: Connection) -> None:
        """Let a thread answer, with what was gathered."""
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(bytes(conn.gathered))
        conn.gathered.clear()
        super().enqueue_req(conn)

    def _answer(self, conn: Connection, status: int, reason: str) -> None:
        with suppress(OSError):  # it may have gone
            write_error(conn.sock, status, reason)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()


def _is_chunked(gathered: bytearray) -> bool:
    """Whether a body of unknown length is announced: no browser sends a form so, and a thread would wait for it."""
    head, end, _ = gathered.partition(_HEAD_END)
    return bool(end) and _CHUNKED.search(bytes(head) + b"\r\n") is not None


def _is_enough(gathered: bytearray) -> bool:
    """Whether a request is complete, or nothing that may follow will change its answer."""
    head, end, body = gathered.partition(_HEAD_END)
    if not end:
        return len(gathered) > MAX_HEAD
    lengths = _LENGTH.findall(bytes(head) + b"\r\n")
    if len(lengths) != 1:
        return True  # no body, or nonsense
    return len(body) >= int(lengths[0]) or int(lengths[0]) > MAX_BODY
