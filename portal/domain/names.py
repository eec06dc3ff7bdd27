"""Where a host name leads, found in a stated time.

The system's resolver takes no time-out: while no name server answers, it holds whoever asks for ten seconds and more,
and libpq, redis-py and smtplib wait with it. Here it works in a thread of its own, and who asks waits as long as they
like.
"""

import os
import socket
from concurrent.futures import Future
from ipaddress import ip_address
from threading import Lock, Thread
from time import monotonic

KEPT_SECONDS = 24 * 60 * 60.0
"""How long the last answer stands in for one that does not come (RFC 8767, section 5: one to three days)."""
_SHORTEST_SECONDS = 0.01
_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)
_lock = Lock()
_under_way: dict[str, "Future[list[str]]"] = {}
_last: dict[str, tuple[float, list[str]]] = {}
"""The last answer for each name, and when it came: names stand in the settings, so there are few."""


class Lookup:
    """A question where a host leads, asked as soon as this is made.

    However many ask for one name at once, the resolver has one thread of it: questions that hang do not pile up.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._answer = _ask(host)

    def addresses(self, seconds: float) -> list[str]:
        """The host's IP addresses in the order to try them, after so many seconds at the latest.

        When the resolver does not answer in time, or cannot tell for now, the last answer is used if there is one: a
        resolver that is away for an hour, or answers late each time, keeps nobody from a server whose address is known.
        A name that there is not (any more) is never answered so. Raises OSError, for what cannot be a name as well.
        """
        try:
            return self._answer.result(max(seconds, 0))
        except TimeoutError:
            failure: OSError = TimeoutError(f"no name server told in time where {self._host} leads")
        except OSError as error:
            if isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME:
                raise
            failure = error
        told_at, known = _last.get(self._host, (0.0, []))
        if known and monotonic() - told_at < KEPT_SECONDS:
            return known
        raise failure


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection to the first of a host's addresses that takes one; raises OSError after so many seconds.

    The name may take half of them; the addresses share what is left, so that one that is dead costs the others nothing.
    """
    ends = monotonic() + seconds
    addresses = Lookup(host).addresses(seconds / 2)
    for address, left in zip(addresses, range(len(addresses), 0, -1), strict=True):
        share = max((ends - monotonic()) / left, _SHORTEST_SECONDS)
        try:
            return socket.create_connection((address, port), share)
        except OSError:
            if left == 1:
                raise
    raise OSError(f"{host} has no address")


def _ask(host: str) -> "Future[list[str]]":
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        told: Future[list[str]] = Future()
        told.set_result([host])
        return told
    with _lock:
        if host not in _under_way:
            answer: Future[list[str]] = Future()
            try:
                Thread(target=_look_up, args=(host, answer), name=f"name {host}", daemon=True).start()
            except RuntimeError as error:  # the system has no thread to spare
                answer.set_exception(OSError(str(error)))
                return answer
            _under_way[host] = answer
        return _under_way[host]


def _look_up(host: str, answer: "Future[list[str]]") -> None:
    try:
        addresses = _resolve(host)
    except Exception as error:  # noqa: BLE001 - for whoever waits to deal with
        _end(host)
        answer.set_exception(error)
        return
    _last[host] = monotonic(), addresses
    _end(host)
    answer.set_result(addresses)


def _resolve(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "no host can have this name") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _end(host: str) -> None:
    with _lock:
        del _under_way[host]


def _begin_anew() -> None:
    """In a forked process: the threads that were asking are the parent's."""
    global _lock  # somebody who is not here may hold it
    _lock = Lock()
    _under_way.clear()


os.register_at_fork(after_in_child=_begin_anew)
