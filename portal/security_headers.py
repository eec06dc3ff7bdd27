"""Headers of every answer of pages and API: security, caching, and where a redirect may lead."""

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
    "Referrer-Policy": "same-origin",  # no-referrer would make browsers send "Origin: null" with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
FOR_EVER = "public, max-age=31536000, immutable"
"""The Cache-Control of addresses that change with what is at them."""
OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
"""One slash, then printable ASCII without a backslash: browsers read "\\" as "/", and drop tabs and line ends."""
_CONDITIONS = ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE")
_DATE_OR_ETAG = re.compile(
    r"""(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),[ ][0-9]{2}[ ](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ ][0-9]{4}
        [ ][0-9]{2}:[0-9]{2}:[0-9]{2}[ ]GMT|(?:W/)?"[^"]*"
    """,
    re.VERBOSE,
)
MAX_BODY = 64 * 1024
"""Bytes. No form or JSON here comes near it, and nobody gets to have more parsed."""
_FORM_ACTION = "form-action 'self'"
_FRAME_ANCESTORS = "frame-ancestors 'none'"
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def register(app: Flask) -> None:
    """Add the headers to every answer of an app."""
    app.url_map.merge_slashes = False  # it would redirect, to the host that the request names
    headers = (SECURITY_HEADERS | _HSTS if settings_of(app).is_https else SECURITY_HEADERS).items()

    app.before_request(_drop_unreadable_conditions)

    @app.after_request
    def finish(response: Response) -> Response:
        _keep_on_site(response)
        for name, value in headers:
            response.headers.setdefault(name, value)
        policy = response.headers["Content-Security-Policy"]
        if "form_origin" in g:  # checked against the organisation's list (redirects.py)
            policy = policy.replace(_FORM_ACTION, f"{_FORM_ACTION} {g.form_origin}")
        if g.get("frame_ancestors"):  # the organisation's list (embedding.py)
            policy = policy.replace(_FRAME_ANCESTORS, f"frame-ancestors {' '.join(g.frame_ancestors)}")
        response.headers["Content-Security-Policy"] = policy
        return response


def _drop_unreadable_conditions() -> None:
    """Ignore a condition that is no date or ETag (RFC 9110, 13.1.3): Werkzeug fails at a very large year."""
    for name in _CONDITIONS:
        if name in request.environ and not _DATE_OR_ETAG.fullmatch(request.environ[name]):
            del request.environ[name]


def _keep_on_site(response: Response) -> None:
    """Have a redirect lead to a path of this site, or to the return origin that was checked for it (redirects.py).

    Any other leads to the start: the router's own redirect, from an empty path, names the host that the request names.
    """
    target = response.headers.get("Location")
    if target is None or OWN_PATH.fullmatch(target) or ("form_origin" in g and origin_of(target) == g.form_origin):
        return
    response.headers["Location"] = "/"
    response.set_data(b"")  # it names the target, too
