"""Whose pages are asked for: told by the host, which shows pages and opens nothing."""

from typing import cast

from flask import Flask, current_app, g, request

from portal.assembly import context_of, settings_of
from portal.domain.directory import Directory
from portal.domain.organisations import Organisation

_DIRECTORY = "portal_directory"


def register(app: Flask) -> None:
    """Let an app know its organisations."""
    context = context_of(app)
    app.extensions[_DIRECTORY] = Directory(context.database, context.clock, settings_of(app).hostname)


def current_organisation() -> Organisation:
    """The organisation whose host the request names, else the default one; the same during all of a request."""
    if "organisation" not in g:
        directory = cast(Directory, current_app.extensions[_DIRECTORY])
        g.organisation = directory.serving(request.host.partition(":")[0].lower())
    organisation: Organisation = g.organisation
    return organisation
