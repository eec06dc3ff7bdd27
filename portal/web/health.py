"""For whoever watches the portal: alive, and able to serve."""

from flask import Blueprint, Flask, Response, current_app

from portal.app import current_context
from portal.storage.backends import DatabaseUnavailable
from portal.storage.schema import current_problem

pages = Blueprint("health", __name__)
_ENDING = "portal_ending"


def stop_being_ready(app: Flask) -> None:
    """Say from now on that nothing more should be sent here: the process is about to end."""
    app.extensions[_ENDING] = True


@pages.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@pages.get("/readyz")
def ready() -> Response:
    """The database answers and takes writes, its schema is the code's, the process is not about to end; else 503."""
    database = current_context().database
    try:
        is_ready = _ENDING not in current_app.extensions and database.accepts_writes() and not current_problem(database)
    except DatabaseUnavailable:
        is_ready = False
    if not is_ready:
        return Response("not ready\n", status=503, mimetype="text/plain", headers={"Retry-After": "2"})
    return Response("ready\n", mimetype="text/plain")
