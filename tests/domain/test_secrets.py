"""A copy of the database is not enough to sign in."""

import re

from sqlalchemy import select

from portal.domain.errors import Failure
from portal.domain.outbox import Notice
from portal.storage.models import METADATA
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused

THIRD_PASSWORD = "pebble anvil saffron 28"


def test_the_database_holds_no_token_identity_or_password_in_plain_text(scene: Scene) -> None:
    secrets = {PASSWORD, SECOND_PASSWORD, THIRD_PASSWORD, WRONG_PASSWORD}
    browser = scene.register(ADA, PASSWORD)
    with refused(Failure.UNVERIFIED):
        scene.log_in(ADA, PASSWORD)
    secrets.add(scene.confirm(scene.token(Notice.VERIFY), browser=browser))
    identity = scene.log_in(remember=True)
    secrets |= {identity, scene.change(identity, PASSWORD, SECOND_PASSWORD)}
    scene.fail_to_log_in()
    scene.reset(scene.ask_reset(), THIRD_PASSWORD)
    secrets |= {scene.log_in(ADA, THIRD_PASSWORD), scene.ask_reset()}
    tokens = {mail.token for mail in scene.mails() if mail.token}
    assert len(tokens) == 6
    dump = dump_of(scene)
    for secret in secrets | tokens:
        assert secret not in dump
        assert secret.encode().hex() not in dump.lower()
    for token in tokens:
        public_id, _, signature = token.partition(".")
        assert public_id in dump  # check that the dump would contain it
        assert signature not in dump


def test_passwords_are_stored_as_argon2id_hashes_only(scene: Scene) -> None:
    scene.join()
    scene.join("eve@example.com")  # with the same password
    scene.reset(scene.ask_reset())
    hashes = re.findall(r"'(\$[^']*)'", dump_of(scene))
    assert len(hashes) == 5  # two accounts, one former password, two registrations
    assert all(re.fullmatch(r"\$argon2id\$v=19\$m=8,t=1,p=1\$[\w+/]{22}\$[\w+/]{43}", stored) for stored in hashes)
    assert len(set(hashes)) == 3  # each registration's became its account's; two customers share none


def dump_of(scene: Scene) -> str:
    """Return all values in the database, each in quotes; bytes as hexadecimal digits."""
    values = (value for table in METADATA.sorted_tables for row in scene.rows(select(table)) for value in row)
    return "\n".join(f"'{value.hex() if isinstance(value, bytes) else value}'" for value in values)
