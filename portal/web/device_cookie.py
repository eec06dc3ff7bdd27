"""The cookie by which a browser is known to the customers who signed in with it (domain/devices.py).

One on each side, as of the session (cookies.py). It is no part of that: it stays when a customer signs out, and ends a
year after the last sign-in.
"""

from flask import Response, after_this_request, current_app, request

from portal.assembly import settings_of
from portal.domain.devices import LIFETIME, is_cookie
from portal.web.cookies import is_framed, may_set_cookie, on_this_side


def presented_device() -> str | None:
    """What the browser's cookie holds, known or not; None for what no sign-in can have given out."""
    value = request.cookies.get(_name())
    return value if value is not None and is_cookie(value) else None


def keep_device(value: str) -> None:
    """Set the cookie with the answer to this request."""
    if not may_set_cookie():
        return
    is_https = settings_of(current_app).is_https
    is_partitioned = is_https and is_framed()

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            _name(),
            value,
            max_age=LIFETIME,
            secure=is_https,
            httponly=True,
            samesite="None" if is_partitioned else "Lax",
            partitioned=is_partitioned,
        )
        return response


def _name() -> str:
    return on_this_side("__Host-device" if settings_of(current_app).is_https else "device")
