"""Error handlers of the API: every failure is JSON. Details are only in the log, with the request's id."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, g, request
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from portal.api.answers import BAD_REQUEST, PlatformError, Problem, answer
from portal.domain.errors import Busy, Failure, Refused
from portal.domain.use_cases.check_api_key import KeyProblem, KeyRefused
from portal.extensions import retry_after
from portal.storage.backends import DatabaseUnavailable

_log = logging.getLogger("portal.errors")


_PROBLEMS = {
    problem.status: problem
    for problem in (
        BAD_REQUEST,
        Problem(404, "NOT_FOUND", "There is nothing at this address.", "The endpoints are listed at /api/v1/docs."),
        Problem(
            405,
            "METHOD_NOT_ALLOWED",
            "This address does not take this method.",
            "The header Allow names those it takes.",
        ),
        Problem(413, "CONTENT_TOO_LARGE", "The body is too large.", "Send at most 64 KiB."),
        Problem(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "The body is not JSON.",
            "Send JSON as Content-Type: application/json, in UTF-8.",
        ),
        Problem(
            500, "INTERNAL_SERVER_ERROR", "Something went wrong.", "The fault is ours. Name the reference {reference}."
        ),
        Problem(
            503, "SERVICE_UNAVAILABLE", "Too much is going on right now.", "Nothing was changed. Try again in a moment."
        ),
    )
}
"""The platform errors that no endpoint declares, by status."""
KEY_STATUS = {KeyProblem.TOO_MANY: 429, KeyProblem.NO_SCOPE: 403}
"""The status of problems of a key; 404 for all others."""
_KEY_ADVICE = {
    KeyProblem.TOO_MANY: "Wait as long as retry_after says, in seconds, and try again.",
    KeyProblem.NO_SCOPE: "The operator of the portal decides what a key may be used for.",
}
RETRY_SECONDS = 2
"""The Retry-After of a 503."""


def register(app: Flask, failures: Mapping[str, Sequence[Failure]]) -> None:
    """Register JSON error handlers; `failures` has the failures that each endpoint documents."""
    app.register_error_handler(PlatformError, PlatformError.answer)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(KeyRefused, _key_refused)
    app.register_error_handler(RateLimitExceeded, _rate_exceeded)
    app.register_error_handler(Refused, partial(_refused, failures))
    app.register_error_handler(Busy, lambda busy: _platform(503, retry_after=busy.retry_after))
    app.register_error_handler(DatabaseUnavailable, _database_unavailable)
    app.register_error_handler(MemoryError, _out_of_memory)
    app.register_error_handler(Exception, _unexpected)


def http_error(error: HTTPException) -> Response:
    """Return the response for an HTTPException of Flask or Werkzeug, such as 404, 405, 413 and 415."""
    return _platform(error.code or 500, allow=dict(error.get_headers()).get("Allow"))


def platform_error(
    status: int, *, reference: str, retry_after: int | None = None, allow: str | None = None
) -> PlatformError:
    """Return the platform error of a status; `reference` is the request id under which the log has details."""
    default = Problem(status, HTTPStatus(status).name, HTTPStatus(status).phrase, BAD_REQUEST.description)
    problem = _PROBLEMS.get(status, default)
    problem = replace(problem, description=problem.description.format(reference=reference))
    return PlatformError(problem, retry_after=retry_after, allow=allow)


def plain_json(status: int) -> str:
    """Return the body of an error for a request that no view can answer."""
    retry_after = RETRY_SECONDS if status == 503 else None
    return json.dumps(platform_error(status, reference="none", retry_after=retry_after).content())


def _platform(status: int, *, retry_after: int | None = None, allow: str | None = None) -> Response:
    return platform_error(status, reference=g.request_id, retry_after=retry_after, allow=allow).answer()


def key_error(problem: KeyProblem, *, retry_after: int | None = None) -> PlatformError:
    """Return the platform error of a refused API key."""
    advice = _KEY_ADVICE.get(problem, "The operator of the portal hands out keys.")
    refusal = Problem(KEY_STATUS.get(problem, 404), problem.code, problem.message, advice)
    return PlatformError(refusal, retry_after=retry_after)


def _key_refused(refused: KeyRefused) -> Response:
    window = refused.window
    return key_error(refused.problem, retry_after=window.retry_after if window else None).answer()


def _rate_exceeded(_error: RateLimitExceeded) -> Response:
    return key_error(KeyProblem.TOO_MANY, retry_after=retry_after()).answer()


def _refused(failures: Mapping[str, Sequence[Failure]], refusal: Refused) -> Response:
    """Return a refusal of the domain with a code that the endpoint documents; `detail` says more."""
    documented = failures[(request.endpoint or "").rpartition(".")[2]]
    failure = refusal.failure if refusal.failure in documented else documented[0]
    content = {"success": False, "errorCode": failure.value.code, "message": failure.value.message}
    if failure.value.detail:
        content["detail"] = failure.value.detail
    elif refusal.detail or failure is not refusal.failure:
        content["detail"] = refusal.in_english
    return answer(content)


def _database_unavailable(error: DatabaseUnavailable) -> Response:
    _log.error("database: %s request=%s", error, g.request_id)
    return _platform(503, retry_after=RETRY_SECONDS)


def _out_of_memory(_error: MemoryError) -> Response:
    _log.error("memory: exhausted request=%s", g.request_id)
    return _platform(503, retry_after=RETRY_SECONDS)


def _unexpected(error: Exception) -> Response:
    _log.exception("unexpected %s request=%s", type(error).__name__, g.request_id)
    return _platform(500)
