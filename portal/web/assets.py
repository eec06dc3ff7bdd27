"""Assets: files, stylesheets, images and health checks, whose responses are the same for every visitor."""

from flask import request

ASSETS = frozenset(
    {
        "embedding.script",
        "health.alive",
        "health.ready",
        "organisation.cover",
        "organisation.logo",
        "organisation.stylesheet",
        "static",
        "theme.stylesheet",
    }
)
"""Their endpoints. Only these may be stored by a shared cache, so no cookie is read or set for them."""


def is_asset() -> bool:
    """Return whether the current request is for an asset, including one that does not exist."""
    return request.endpoint in ASSETS
