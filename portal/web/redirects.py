"""Allowed targets of redirects: paths on this site, and URLs on the organisation's return origins."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from flask import g, redirect, request
from werkzeug.wrappers import Response

from portal.domain.return_urls import parse_return_url
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.urls import origin_of
from portal.security_headers import OWN_PATH
from portal.web.organisation import current_organisation

_MAX_LENGTH = 2000


def own_path(target: str | None) -> str | None:
    """Return the target if it is a path on this site, else None."""
    if target and len(target) <= _MAX_LENGTH and OWN_PATH.fullmatch(target):
        return target
    return None


def this_page(hidden_values: Mapping[str, str] | None = None) -> str | None:
    """Return path and query of the current page, to open it again; None if it cannot be opened with GET.

    In the response to a form, the values of its hidden fields replace the query: they come from the query that the form
    was opened with.
    """
    if request.url_rule is not None and "GET" not in (request.url_rule.methods or ()):
        return None
    query = request.query_string.decode("ascii", "replace") if hidden_values is None else urlencode(hidden_values)
    return own_path(quote(request.path, safe="/!$&'()*+,:;=@~") + (f"?{query}" if query else ""))


def redirect_to(target: str | None, default: str) -> Response:
    """Redirect to a target from the request if it is a path on this site, else to the default."""
    return redirect(own_path(target) or default)


def return_target(url: str | None) -> str | None:
    """Return a return URL if its origin is one of the organisation's return origins now, else None.

    Also adds the origin to the form-action of the current page's policy (security_headers.py), because browsers apply
    that to the redirect after a form, too.
    """
    if url is None:
        return None
    try:
        target = parse_return_url(url, current_organisation().return_origins)
    except InvalidValue:  # the origin was removed since the URL was stored
        return None
    g.form_origin = origin_of(target)
    return target
