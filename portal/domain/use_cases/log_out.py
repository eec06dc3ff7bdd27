"""Sign a customer out."""

from portal.domain import sign_outs
from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.storage.database import retried


@retried
def log_out(context: Context, visitor: Visitor, identity: str) -> None:
    """End an identity on the server. One that has ended already is no failure."""
    now = context.clock()
    with context.database.write() as connection:
        contact_id = sign_outs.end(connection, visitor.organisation_id, identity, now)
        if contact_id is not None:
            record(connection, visitor, EventKind.SIGN_OUT, contact_id=contact_id, now=now)
