"""Encrypt with the current key what was encrypted with a former one, so that the former key can be dropped."""

import logging

from sqlalchemy import select, update

from portal.domain.context import Context
from portal.domain.secret_box import Unreadable
from portal.storage.models import SecondStep

BATCH = 500
_log = logging.getLogger("portal.security")


def reencrypt(context: Context) -> int:
    """Encrypt the secrets of authenticator apps anew that have another key than the current; return their number.

    At most BATCH of them; the next call continues. Those that no key opens stay as they are and are logged.
    """
    with context.database.read() as connection:
        if connection.execute(select(SecondStep.c.contact_id).limit(1)).scalar() is None:
            return 0  # without the library that the key's id is derived with
    box = context.secret_box
    outdated = (
        select(SecondStep.c.contact_id, SecondStep.c.secret).where(SecondStep.c.key_id != box.key_id).limit(BATCH)
    )
    with context.database.read() as connection:
        rows = connection.execute(outdated).all()
    done = 0
    for row in rows:
        try:
            secret = box.seal(row.contact_id, box.open(row.contact_id, row.secret))
        except Unreadable:
            continue
        with context.database.write() as connection:
            unchanged = update(SecondStep).where(
                SecondStep.c.contact_id == row.contact_id, SecondStep.c.secret == row.secret
            )
            done += connection.execute(unchanged.values(secret=secret, key_id=box.key_id)).rowcount
    if done < len(rows):
        _log.error(
            "second step: %d secrets cannot be decrypted; add the former SECRET_KEY to SECRET_KEY_FALLBACKS",
            len(rows) - done,
        )
    return done
