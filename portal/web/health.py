"""Health checks: liveness and readiness."""

from flask import Blueprint, Flask, Response, current_app

from portal.app import current_context
from portal.storage.backends import DatabaseUnavailable
from portal.storage.schema import current_problem

pages = Blueprint("health", __name__)
_NOT_READY = "portal_ending"


def mark_not_ready(app: Flask) -> None:
    """Make the readiness check fail from now on, because the process is about to end."""
    app.extensions[_NOT_READY] = True


@pages.get("/healthz")
def alive() -> Response:
    """Respond to the liveness check."""
    return Response("ok\n", mimetype="text/plain")


@pages.get("/readyz")
def ready() -> Response:
    """Respond 200 if the database accepts writes, its schema is current, and the process is not ending; else 503."""
    database = current_context().database
    try:
        is_ready = (
            _NOT_READY not in current_app.extensions and database.accepts_writes() and not current_problem(database)
        )
    except DatabaseUnavailable:
        is_ready = False
    if not is_ready:
        return Response("not ready\n", status=503, mimetype="text/plain", headers={"Retry-After": "2"})
    return Response("ready\n", mimetype="text/plain")
