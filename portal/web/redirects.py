"""Where a redirect may lead: one function decides, and it knows only this site's own paths."""

import re

from flask import redirect
from werkzeug.wrappers import Response

_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)
"""One slash, then printable ASCII without a backslash: browsers read "\\" as "/", and drop tabs and line ends."""
_MAX_LENGTH = 2000


def own_path(target: str | None) -> str | None:
    """The target when it is a path on this site, else None."""
    if target and len(target) <= _MAX_LENGTH and _OWN_PATH.fullmatch(target):
        return target
    return None


def redirect_to(target: str | None, otherwise: str) -> Response:
    """Redirect to a target that somebody brought, if it is a path on this site; else to our own choice."""
    return redirect(own_path(target) or otherwise)
