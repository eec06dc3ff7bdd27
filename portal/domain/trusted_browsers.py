"""Trusted browsers: known devices (devices.py) in which a customer chose to sign in without the second step."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from portal.domain.context import Visitor
from portal.domain.tokens import digest_of
from portal.storage.models import Device

LIFETIME = timedelta(days=30)
"""How long a browser is trusted."""

_of_contact = (Device.c.contact_id == bindparam("of_contact")) & (Device.c.digest == bindparam("of_digest"))
_find_trusted = select(Device.c.id).where(_of_contact, Device.c.trusted_until > bindparam("now"))
_count = select(func.count()).where(
    Device.c.contact_id == bindparam("of_contact"), Device.c.trusted_until > bindparam("now")
)
_end_all = (
    update(Device)
    .where(Device.c.contact_id == bindparam("of_contact"), Device.c.trusted_until.is_not(None))
    .values(trusted_until=None)
)
_trust = update(Device).where(_of_contact).values(trusted_until=bindparam("until"))


def trust(connection: Connection, contact_id: int, digest: bytes, now: datetime) -> None:
    """Trust a known device of a customer."""
    connection.execute(_trust, {"of_contact": contact_id, "of_digest": digest, "until": now + LIFETIME})


def is_trusted(connection: Connection, visitor: Visitor, contact_id: int, now: datetime) -> bool:
    """Return whether a customer signs in without the second step in this browser; never through a shop's server."""
    if visitor.via_api or visitor.device is None:
        return False
    parameters = {"of_contact": contact_id, "of_digest": digest_of(visitor.device), "now": now}
    return connection.execute(_find_trusted, parameters).one_or_none() is not None


def count(connection: Connection, contact_id: int, now: datetime) -> int:
    """Count the browsers in which a customer signs in without the second step."""
    return connection.execute(_count, {"of_contact": contact_id, "now": now}).scalar_one()


def end_all(connection: Connection, contact_id: int) -> bool:
    """End a customer's trust in all browsers; return whether there was a trusted one."""
    return connection.execute(_end_all, {"of_contact": contact_id}).rowcount > 0
