"""The Flask extensions, one instance each; create_app connects them."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from math import ceil
from time import time
from typing import Any, ParamSpec, TypeVar

from flask import Response, current_app, g, make_response, request
from flask_limiter import Limiter, RequestLimit
from flask_mail import Mail
from flask_wtf.csrf import CSRFError, CSRFProtect, validate_csrf
from itsdangerous import BadData, URLSafeTimedSerializer
from limits import RateLimitItem
from limits.storage import Storage
from wtforms import ValidationError

from portal.app import current_context
from portal.domain.values.ip_addresses import network_of
from portal.storage.rate_limit_counters import REDUCTION, FallbackCounters

P = ParamSpec("P")
R = TypeVar("R")

_throttled = logging.getLogger("portal.throttled")
"""For metrics only, since an attack would fill a log."""
logging.getLogger("flask-limiter").setLevel(logging.WARNING)  # at INFO it logs each refused request


class RotatingCSRFProtect(CSRFProtect):
    """CSRF protection that also accepts tokens signed with SECRET_KEY_FALLBACKS, as sessions do.

    Flask-WTF reads tokens with the newest key only, so forms that are open during a rotation would fail.
    """

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the token of a form; raises CSRFError. No view is exempt."""
        config = current_app.config
        if request.method not in config["WTF_CSRF_METHODS"] or (apply_exemptions and not request.endpoint):
            return
        token = request.form.get(config["WTF_CSRF_FIELD_NAME"])
        for key in (current_app.secret_key, *(config["SECRET_KEY_FALLBACKS"] or ())):
            with suppress(ValidationError):
                validate_csrf(token, secret_key=key)
                return
        raise CSRFError


def age_of_form_token(token: str) -> timedelta | None:
    """Return how long ago a form token was made, whatever cookie it belongs to; None if it is none of ours."""
    keys: list[Any] = [*(current_app.config["SECRET_KEY_FALLBACKS"] or ()), current_app.secret_key]
    try:
        made_at: datetime = URLSafeTimedSerializer(keys, salt="wtf-csrf-token").loads(token, return_timestamp=True)[1]
    except BadData:
        return None
    return datetime.now(UTC) - made_at


csrf = RotatingCSRFProtect()
mail = Mail()


class _AppCounters(Storage):
    """The counters of the app that handles the request; the domain counts attempts in the same ones.

    Flask-Limiter has one storage, found by its URI, for all apps of a process.
    """

    STORAGE_SCHEME = ["portal"]

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return the exceptions that the storage may raise."""
        return _counters().base_exceptions

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter and return it."""
        return _counters().incr(key, expiry, amount)

    def get(self, key: str) -> int:
        """Return a counter's value."""
        return _counters().get(key)

    def get_expiry(self, key: str) -> float:
        """Return when a counter's window ends."""
        return _counters().get_expiry(key)

    def check(self) -> bool:
        """Return whether the counters can be used."""
        return _counters().check()

    def reset(self) -> int | None:
        """Drop all counters."""
        return _counters().reset()

    def clear(self, key: str) -> None:
        """Drop one counter."""
        _counters().clear(key)


def _counters() -> FallbackCounters:
    return current_context().rate_limiter.counters


def _client_network() -> str:
    return network_of(request.remote_addr)


def _count_breach(limit: RequestLimit) -> None:
    _throttled.debug("throttled", extra={"fields": {"scope": limit.request_args[1]}})


def _form_limit() -> RateLimitItem:
    return current_context().rules.form_limit_network


def _cost() -> int:
    """Return how much a request counts: four times as much while each process counts for itself."""
    return min(REDUCTION, _form_limit().amount) if _counters().is_degraded else 1


limiter = Limiter(_client_network, storage_uri="portal://", strategy="fixed-window", on_breach=_count_breach)
"""Limits on the rate of requests, applied in the views; the domain limits attempts (domain/rate_limits.py)."""


@limiter.request_filter
def _is_unlimited() -> bool:
    """Return whether a request is neither a form nor a call with an API key, so that no limit is looked for."""
    return request.method != "POST" and "caller" not in g


def retry_after() -> int:
    """Return the seconds after which a request that was refused for its rate is worth another try."""
    rate = limiter.current_limit
    return max(1, ceil(rate.window.reset_time - time())) if rate else 1


def _refuse_typing(_limit: RequestLimit) -> Response:
    return make_response({}, 429, {"Retry-After": str(retry_after())})


_form_rate = limiter.shared_limit(lambda: str(_form_limit()), scope="form", cost=_cost)


def form_rate(view: Callable[P, R]) -> Callable[P, R]:
    """Decorate a view with the limit of all forms of a network; its GET requests skip the limiter."""
    limited = _form_rate(view)

    @wraps(view)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return (limited if request.method == "POST" else view)(*args, **kwargs)

    return run


typing_rate = limiter.shared_limit("600 per 10 minutes", scope="typing", cost=_cost, on_breach=_refuse_typing)
"""The limit of passwords that are checked while a customer types."""
