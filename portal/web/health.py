"""For whoever watches the portal: alive, and able to serve."""

from flask import Blueprint, Response

from portal.assembly import current_context
from portal.domain.database import DatabaseAway
from portal.schema import current_problem

pages = Blueprint("health", __name__)


@pages.get("/healthz")
def alive() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@pages.get("/readyz")
def ready() -> Response:
    """The database answers and its schema is the code's; 503 otherwise."""
    try:
        problem = current_problem(current_context().database)
    except DatabaseAway:
        problem = "the database does not answer"
    if problem:
        return Response("not ready\n", status=503, mimetype="text/plain", headers={"Retry-After": "2"})
    return Response("ready\n", mimetype="text/plain")
