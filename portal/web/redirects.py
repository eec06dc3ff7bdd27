"""Where a redirect may lead: this site's own paths, and what its organisation has listed as places to return to."""

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
    """The target when it is a path on this site, else None."""
    if target and len(target) <= _MAX_LENGTH and OWN_PATH.fullmatch(target):
        return target
    return None


def this_page(carried: Mapping[str, str] | None = None) -> str | None:
    """The address of the page that is being shown, for opening it again; None where only a form leads to it.

    What the answer to a form carries in its hidden fields stood in the query when the form was opened: given here, it
    takes the query's place.
    """
    if request.url_rule is not None and "GET" not in (request.url_rule.methods or ()):
        return None
    query = request.query_string.decode("ascii", "replace") if carried is None else urlencode(carried)
    return own_path(quote(request.path, safe="/!$&'()*+,:;=@~") + (f"?{query}" if query else ""))


def redirect_to(target: str | None, otherwise: str) -> Response:
    """Redirect to a target that somebody brought, if it is a path on this site; else to our own choice."""
    return redirect(own_path(target) or otherwise)


def return_target(url: str | None) -> str | None:
    """A return address, if it lies on one of the return origins that the organisation has now; else None.

    The page that is being made may then send its form where that address is: browsers hold what a form redirects to
    against the page's policy (security_headers.py).
    """
    if url is None:
        return None
    try:
        target = parse_return_url(url, current_organisation().return_origins)
    except InvalidValue:  # the origin was listed when the address was stored
        return None
    g.form_origin = origin_of(target)
    return target
