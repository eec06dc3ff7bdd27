"""What is answered to requests that are none: the app never sees them."""

import json
import socket

from portal.api.errors import RETRY_SECONDS, platform_error
from portal.requests import SECURITY_HEADERS


def write_error(sock: socket.socket, status_int: int, reason: str, mesg: str = "") -> None:
    """Answer and announce the end of the connection; says nothing of what the parser thought (`mesg`).

    In place of gunicorn's own function of this name, whose answers have no security headers. It is JSON, as for the
    API: where a request that cannot be read was meant to go is not known, and no browser shows these.
    """
    del mesg
    error = platform_error(status_int, reference="none", retry_after=RETRY_SECONDS if status_int == 503 else None)
    body = json.dumps(error.content()).encode()
    headers = {"Connection": "close", "Content-Type": "application/json", "Content-Length": str(len(body))}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    lines = [f"{name}: {value}" for name, value in (headers | SECURITY_HEADERS).items()]
    head = "\r\n".join([f"HTTP/1.1 {status_int} {reason}", *lines, "", ""])
    sock.sendall(head.encode("latin-1") + body)
