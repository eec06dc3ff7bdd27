"""Headers of every response of pages and API: security, caching, and the targets of redirects."""

import re

from flask import Flask, Response, g, request

from portal.app import settings_of
from portal.domain.values.urls import origin_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send "Origin: null" with the portal's own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""Cache-Control of addresses that change with their content."""
OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
"""One slash, then printable ASCII without a backslash: browsers read "\\" as "/", and drop tabs and line breaks."""
_CONDITIONS = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")
_DATE_OR_ETAG = re.compile(
    r"""(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),[ ][0-9]{2}[ ](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ ][0-9]{4}
        [ ][0-9]{2}:[0-9]{2}:[0-9]{2}[ ]GMT|(?:W/)?"[^"]*"
    """,
    re.VERBOSE,
)
MAX_BODY = 64 * 1024
"""Bytes; far more than any form or JSON of the portal has."""
_FORM_ACTION = "form-action 'self'"
_FRAME_ANCESTORS = "frame-ancestors 'none'"
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def register(app: Flask) -> None:
    """Add the headers to every response of an app."""
    app.url_map.merge_slashes = False  # it would redirect to the host of the request
    headers = (SECURITY_HEADERS | _HSTS if settings_of(app).is_https else SECURITY_HEADERS).items()

    app.before_request(_drop_unreadable_conditions)

    @app.after_request
    def finish(response: Response) -> Response:
        _keep_on_site(response)
        present = {name.lower() for name, _ in response.headers}
        # Not by `setdefault`, which searches all headers for each name.
        response.headers.extend([(name, value) for name, value in headers if name.lower() not in present])
        if "form_origin" in g:  # checked against the organisation's list (web/redirects.py)
            _widen_policy(response, _FORM_ACTION, f"{_FORM_ACTION} {g.form_origin}")
        if g.get("frame_ancestors"):  # the organisation's list (web/embedding.py)
            _widen_policy(response, _FRAME_ANCESTORS, f"frame-ancestors {' '.join(g.frame_ancestors)}")
        return response


def _widen_policy(response: Response, rule: str, wider: str) -> None:
    policy = response.headers["Content-Security-Policy"]
    response.headers["Content-Security-Policy"] = policy.replace(rule, wider)


def _drop_unreadable_conditions() -> None:
    """Ignore a conditional header that is neither a date nor an ETag (RFC 9110, 13.1.3), at which Werkzeug may fail."""
    for name in _CONDITIONS:
        if name in request.environ and not _DATE_OR_ETAG.fullmatch(request.environ[name]):
            del request.environ[name]


def _keep_on_site(response: Response) -> None:
    """Replace the target of a redirect by "/" unless it is a path of this site or the checked return origin.

    The router's own redirect, from an empty path, leads to the host of the request.
    """
    target = response.headers.get("Location")
    if target is None or OWN_PATH.fullmatch(target) or ("form_origin" in g and origin_of(target) == g.form_origin):
        return
    response.headers["Location"] = "/"
    response.set_data(b"")  # the body names the target, too
