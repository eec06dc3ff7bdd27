"""The key of a request: found where it may stand, checked, its rate told with the answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, Response, g, request
from flask_limiter import RequestLimit
from werkzeug.exceptions import HTTPException

from portal.api.answers import PlatformError, bad_request
from portal.api.reading import read_body, read_query
from portal.app import current_context
from portal.domain.api_keys import Scope
from portal.domain.context import Visitor
from portal.domain.use_cases.check_api_key import Caller, authenticate, record_excess
from portal.domain.values.ip_addresses import network_of
from portal.extensions import limiter

KEY_FIELD = "apiKey"
P = ParamSpec("P")
R = TypeVar("R")


def _rate_of_caller() -> str:
    """The rate of the caller's key; none for a key without one."""
    return str(current_caller().rate or "")


def _note_excess(limit: RequestLimit) -> None:
    if limiter.storage.incr(f"{limit.key}/recorded", limit.limit.get_expiry()) == 1:
        record_excess(current_context(), current_caller(), g.request_id)


key_rate = limiter.shared_limit(
    _rate_of_caller, scope="api", key_func=lambda: str(current_caller().key_id), on_breach=_note_excess
)
"""Not reduced while counters cannot be shared: a shop does not suffer for that."""


def keyed(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A view for callers whose key has a scope; `current_caller` and what was sent are known inside.

    The key is checked before the fields are, and before a body that cannot be read is complained of, wherever the key
    does not stand in that body itself: a stranger learns nothing but what is wrong with the key.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @key_rate
        @wraps(view)
        def within_rate(*arguments: P.args, **named: P.kwargs) -> R:
            if g.unreadable:
                raise g.unreadable
            current_caller().require(scope)
            return view(*arguments, **named)

        @wraps(view)
        def checked(*arguments: P.args, **named: P.kwargs) -> R:
            g.query = read_query(request)
            g.unreadable = _read_body_if_any()
            key = _find_key()
            if key is None and g.unreadable:
                raise g.unreadable
            g.caller = authenticate(
                current_context(), key, network=network_of(request.remote_addr), request_id=g.request_id
            )
            return within_rate(*arguments, **named)

        return checked

    return decorate


def current_caller() -> Caller:
    """Whose key this request came with."""
    caller: Caller = g.caller
    return caller


def current_visitor(customer_ip: str | None = None) -> Visitor:
    """Who is asking, for limits and the record of events: the caller's customer, as far as the caller tells of them.

    The caller's own address and program are nobody's but its own, and told of no customer.
    """
    caller = current_caller()
    return Visitor(
        organisation_id=caller.organisation_id,
        organisation_name=caller.organisation_name,
        ip=customer_ip,
        request_id=g.request_id,
        via_api=True,
    )


def register(app: Flask) -> None:
    """Tell each caller of an app where its key stands in its rate."""

    @app.after_request
    def tell_rate(response: Response) -> Response:
        rate = limiter.current_limit
        if rate is not None:
            response.headers["X-RateLimit-Limit"] = str(rate.limit.amount)
            response.headers["X-RateLimit-Remaining"] = str(rate.remaining)
            response.headers["X-RateLimit-Reset"] = str(int(rate.window.reset_time))
        return response


def _read_body_if_any() -> PlatformError | HTTPException | None:
    """Read the body of a request that has one; returns what is wrong with it."""
    g.body = {}
    if request.method != "POST":
        return None
    try:
        g.body = read_body(request)
    except (PlatformError, HTTPException) as error:
        return error
    return None


def _find_key() -> str | None:
    """The key, wherever it stands; in several places it must be the same. Raises PlatformError."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    places: list[Any] = [g.query.get(KEY_FIELD), bearer, g.body.get(KEY_FIELD)]
    found = [key for key in places if key not in (None, "")]
    if any(key != found[0] for key in found):
        raise bad_request("The request holds two different API keys: send one, in one place.")
    if not found:
        return None
    # What is no text is no key either; it is left to the check of the format to say so.
    return found[0] if isinstance(found[0], str) else "?"
