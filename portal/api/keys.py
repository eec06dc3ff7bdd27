"""The API key of a request: find and check it, and report its rate limit in the response."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

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
    """Return the rate limit of the caller's key; empty for a key without one."""
    return str(current_caller().rate or "")


def _record_first_excess(limit: RequestLimit) -> None:
    if limiter.storage.incr(f"{limit.key}/recorded", limit.limit.get_expiry()) == 1:
        record_excess(current_context(), current_caller(), g.request_id)


key_rate = limiter.shared_limit(
    _rate_of_caller, scope="api", key_func=lambda: str(current_caller().key_id), on_breach=_record_first_excess
)
"""Not reduced while Redis is away, so that shops keep their full rate."""


def requires_key(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for views that need a key with a scope; `current_caller` can be used inside the view.

    The key is checked before the fields, and before an error in the body unless the key may be in that body (JSON that
    cannot be parsed), so that a caller without a valid key learns only what is wrong with the key.
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
            if key is None and g.unreadable and request.is_json and request.content_length:
                raise g.unreadable
            g.caller = authenticate(
                current_context(), key, network=network_of(request.remote_addr), request_id=g.request_id
            )
            return within_rate(*arguments, **named)

        return checked

    return decorate


def current_caller() -> Caller:
    """Return the caller that the key of the request belongs to."""
    caller: Caller = g.caller
    return caller


def current_visitor(customer_ip: str | None = None) -> Visitor:
    """Return the visitor for rate limits and events: the caller's customer, with `customer_ip` if the caller sent it.

    The address and user agent of the caller's server are not used, since they are not the customer's.
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
    """Add the rate limit headers to the responses of an app."""

    @app.after_request
    def add_rate_headers(response: Response) -> Response:
        rate = limiter.current_limit
        if rate is not None:
            response.headers["X-RateLimit-Limit"] = str(rate.limit.amount)
            response.headers["X-RateLimit-Remaining"] = str(rate.remaining)
            response.headers["X-RateLimit-Reset"] = str(int(rate.window.reset_time))
        return response


def _read_body_if_any() -> PlatformError | HTTPException | None:
    """Parse the body of a POST; returns its error."""
    g.body = {}
    if request.method != "POST":
        return None
    try:
        g.body = read_body(request)
    except (PlatformError, HTTPException) as error:
        return error
    return None


def _find_key() -> str | None:
    """Return the key from query, header or body. Raises PlatformError when they have different keys."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    places: list[object] = [g.query.get(KEY_FIELD), bearer, g.body.get(KEY_FIELD)]
    found = [key for key in places if key not in (None, "")]
    if any(key != found[0] for key in found):
        raise bad_request("The request holds two different API keys: send one, in one place.")
    if not found:
        return None
    # A value that is not a string fails the check of the format later.
    return found[0] if isinstance(found[0], str) else "?"
