"""What is answered to requests that are none: the app never sees them."""

import socket

from portal.requests import SECURITY_HEADERS


def write_error(sock: socket.socket, status_int: int, reason: str, mesg: str = "") -> None:
    """Answer and announce the end of the connection; says nothing of what the parser thought (`mesg`).

    In place of gunicorn's own function of this name, whose answers have no security headers.
    """
    del mesg
    body = f"{status_int} {reason}\n".encode()
    headers = {"Connection": "close", "Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in (headers | SECURITY_HEADERS).items()]
    head = "\r\n".join([f"HTTP/1.1 {status_int} {reason}", *lines, "", ""])
    sock.sendall(head.encode("latin-1") + body)
