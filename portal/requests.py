"""Around each request, of either face: an id, the security headers, where redirects may lead, one line in the log."""

import logging
import re
import secrets
from time import perf_counter

from flask import Flask, Response, g, request

from portal.assembly import settings_of
from portal.domain.web_addresses import origin_of

_log = logging.getLogger("portal.access")
_proxies_log = logging.getLogger("portal.proxies")

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
    """Put them around every request of an app."""
    if not settings_of(app).trusted_proxies:
        _tell_of_proxies(app)
    app.url_map.merge_slashes = False  # it would redirect, to the host that the request names
    headers = (SECURITY_HEADERS | _HSTS if settings_of(app).is_https else SECURITY_HEADERS).items()

    @app.before_request
    def begin() -> None:
        g.request_id = secrets.token_hex(8)
        g.started = perf_counter()
        _drop_unreadable_conditions()

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
        seconds = perf_counter() - g.started
        fields = {
            "method": request.method,
            "route": str(request.url_rule or "-"),  # and not the path: paths hold tokens
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
            "request": g.request_id,
        }
        message = "%(method)s %(route)s %(status)d %(ms).1fms request=%(request)s"
        if "caller" in g:  # whose key the API was asked with (api/keys.py)
            message += " key=%(key)s"
            fields["key"] = g.caller.key_id
        _log.info(message, fields, extra={"fields": fields})
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


def _tell_of_proxies(app: Flask) -> None:
    """Say once that requests seem to come through a proxy whose word does not count: strangers then share their limits.

    Only once, and without the address: anybody can send the header to a portal that has no proxy in front.
    """
    told = False

    @app.before_request
    def look() -> None:
        nonlocal told
        if not told and "X-Forwarded-For" in request.headers:
            told = True
            _proxies_log.warning(
                "a request came with X-Forwarded-For, and TRUSTED_PROXIES is 0: if there is a proxy in front, all"
                " visitors count as one network; say how many proxies there are"
            )
