"""Every way a request to the API can fail, as JSON. Details stay in the log, under the request's id."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, g, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from portal.api.answers import PlatformError, answer
from portal.domain.errors import Busy, Failure, Refused
from portal.domain.use_cases.check_api_key import KeyProblem, KeyRefused
from portal.extensions import retry_after
from portal.storage.backends import DatabaseUnavailable

_log = logging.getLogger("portal.errors")


_PLATFORM = {
    400: ("BAD_REQUEST", "The request cannot be read.", "Look at its address, headers and body."),
    404: ("NOT_FOUND", "There is nothing at this address.", "The endpoints are listed at /api/v1/docs."),
    405: ("METHOD_NOT_ALLOWED", "This address does not take this method.", "The header Allow names those it takes."),
    413: ("CONTENT_TOO_LARGE", "The body is too large.", "Send at most 64 KiB."),
    415: ("UNSUPPORTED_MEDIA_TYPE", "The body is not JSON.", "Send JSON as Content-Type: application/json, in UTF-8."),
    500: ("INTERNAL_SERVER_ERROR", "Something went wrong.", "The fault is ours. Name the reference {reference}."),
    503: ("SERVICE_UNAVAILABLE", "Too much is going on right now.", "Nothing was changed. Try again in a moment."),
}
KEY_STATUS = {KeyProblem.TOO_MANY: 429, KeyProblem.NO_SCOPE: 403}
"""All other problems of a key are 404."""
_KEY_ADVICE = {
    KeyProblem.TOO_MANY: "Wait as long as retry_after says, in seconds, and try again.",
    KeyProblem.NO_SCOPE: "The operator of the portal decides what a key may be used for.",
}
RETRY_SECONDS = 2
"""Until another try may be worth it, after a 503."""


def register(app: Flask, failures: Mapping[str, Sequence[Failure]]) -> None:
    """Answer all failures of an app in JSON; `failures` are those that each endpoint has a code for."""
    app.register_error_handler(PlatformError, PlatformError.answer)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(KeyRefused, _key_refused)
    app.register_error_handler(RateLimitExceeded, _rate_exceeded)
    app.register_error_handler(Refused, partial(_refused, failures))
    app.register_error_handler(Busy, lambda busy: _platform(503, retry_after=busy.retry_after))
    app.register_error_handler(DatabaseUnavailable, _database_away)
    app.register_error_handler(MemoryError, _no_memory)
    app.register_error_handler(Exception, _unexpected)


def http_error(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse: no such address or method, a body that is too large or of another kind."""
    return _platform(error.code or 500, allow=dict(error.get_headers()).get("Allow"))


def platform_error(
    status: int, *, reference: str, retry_after: int | None = None, allow: str | None = None
) -> PlatformError:
    """What is told of a status; `reference` is where the log says more of a fault of ours."""
    default = (HTTPStatus(status).name, HTTPStatus(status).phrase, _PLATFORM[400][2])
    code, message, description = _PLATFORM.get(status, default)
    description = description.format(reference=reference)
    return PlatformError(status, code, message, description, retry_after=retry_after, allow=allow)


def _platform(status: int, *, retry_after: int | None = None, allow: str | None = None) -> Response:
    return platform_error(status, reference=g.request_id, retry_after=retry_after, allow=allow).answer()


def key_error(problem: KeyProblem, *, retry_after: int | None = None) -> PlatformError:
    """What is told of a key that opens nothing."""
    advice = _KEY_ADVICE.get(problem, "The operator of the portal hands out keys.")
    return PlatformError(KEY_STATUS.get(problem, 404), problem.code, problem.message, advice, retry_after=retry_after)


def _key_refused(refused: KeyRefused) -> Response:
    window = refused.window
    return key_error(refused.problem, retry_after=window.retry_after if window else None).answer()


def _rate_exceeded(_error: RateLimitExceeded) -> Response:
    return key_error(KeyProblem.TOO_MANY, retry_after=retry_after()).answer()


def _refused(failures: Mapping[str, Sequence[Failure]], refusal: Refused) -> Response:
    """What the domain refuses, by the code that the endpoint has for it; `detail` says more where there is more."""
    known = failures[(request.endpoint or "").rpartition(".")[2]]
    told = refusal.failure if refusal.failure in known else known[0]
    content = {"success": False, "errorCode": told.value.code, "message": told.value.message}
    if refusal.detail or told is not refusal.failure:
        content["detail"] = refusal.in_english
    return answer(content)


def _database_away(error: DatabaseUnavailable) -> Response:
    _log.error("database: %s request=%s", error, g.request_id)
    return _platform(503, retry_after=RETRY_SECONDS)


def _no_memory(_error: MemoryError) -> Response:
    _log.error("no memory left request=%s", g.request_id)
    return _platform(503, retry_after=RETRY_SECONDS)


def _unexpected(error: Exception) -> Response:
    _log.exception("unexpected %s request=%s", type(error).__name__, g.request_id)
    return _platform(500)
