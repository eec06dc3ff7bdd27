"""Recovery codes, each of which takes the place of one code of the authenticator app.

A code has 80 random bits and cannot be guessed, so a fast digest of it is stored and no limit per account is needed.
"""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, update

from portal.domain.audit_log import EventKind, record
from portal.domain.contacts import ContactCredentials
from portal.domain.context import Context, Visitor
from portal.domain.notices import notify
from portal.domain.outbox import Notice
from portal.domain.tokens import digest_of, random_id
from portal.storage.models import RecoveryCode

_COUNT = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz023456789"
"""32 characters, without those that look alike."""
_LENGTH = 16
_GROUP = 4

_use = (
    update(RecoveryCode)
    .where(RecoveryCode.c.contact_id == bindparam("of_contact"), RecoveryCode.c.digest == bindparam("of_digest"))
    .where(RecoveryCode.c.used_at.is_(None))
    .values(used_at=bindparam("now"))
    .returning(RecoveryCode.c.id)
)


def replace_all(connection: Connection, contact_id: int, now: datetime) -> list[str]:
    """Delete the recovery codes of a customer, and return new ones, which cannot be read again."""
    connection.execute(delete(RecoveryCode).where(RecoveryCode.c.contact_id == contact_id))
    codes = [random_id(_LENGTH, _ALPHABET) for _ in range(_COUNT)]
    rows = [{"contact_id": contact_id, "digest": digest_of(code), "created_at": now} for code in codes]
    connection.execute(insert(RecoveryCode), rows)
    return [_in_groups(code) for code in codes]


def _in_groups(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def use(connection: Connection, context: Context, visitor: Visitor, contact: ContactCredentials, code: str) -> bool:
    """Use a recovery code, record the event and queue the notice; return False if it is wrong or was used before."""
    now = context.clock()
    used = {"of_contact": contact.id, "of_digest": digest_of(code), "now": now}
    if connection.execute(_use, used).one_or_none() is None:
        return False
    record(connection, visitor, EventKind.RECOVERY_CODE, contact_id=contact.id, now=now)
    notify(connection, context, visitor, contact, Notice.RECOVERY_CODE_USED)
    return True
