"""Accounts whose password hash comes from another system: at sign-in, change and reset."""

import bcrypt
from sqlalchemy import insert, select, update

from portal.domain.errors import Failure
from portal.domain.passwords.hashing import Hasher, Parameters
from portal.storage.models import Account, Contact
from tests.domain.passwords.django_hash import pbkdf2
from tests.domain.scene import ADA, PASSWORD, SECOND_PASSWORD, WRONG_PASSWORD, Scene, refused


def import_account(scene: Scene, password_hash: str) -> int:
    """A customer whose hash was imported."""
    contact_id, now = scene.add_guest(), scene.context.clock()
    values = {"contact_id": contact_id, "password_hash": password_hash, "password_set_at": now, "created_at": now}
    scene.change_row(insert(Account).values(values))
    return contact_id


def stored_hash(scene: Scene) -> str:
    return str(scene.rows(select(Account.c.password_hash))[0][0])


def test_the_first_right_password_replaces_a_legacy_hash(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, WRONG_PASSWORD)
    assert stored_hash(scene) == pbkdf2(PASSWORD)

    assert scene.is_signed_in(scene.log_in())

    renewed = stored_hash(scene)
    assert renewed.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert scene.is_signed_in(scene.log_in())
    assert stored_hash(scene) == renewed
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, WRONG_PASSWORD)


LONGEST_BCRYPT = "violet harbour kettle 41, gravel mitten orchard 87 and cinder ballot 63."


def test_a_password_with_the_same_first_72_bytes_does_not_replace_a_bcrypt_hash(scene: Scene) -> None:
    assert len(LONGEST_BCRYPT) == 72
    known = bcrypt.hashpw(LONGEST_BCRYPT.encode(), bcrypt.gensalt(4)).decode()
    import_account(scene, known)
    for other in (LONGEST_BCRYPT + "OTHER", LONGEST_BCRYPT + "\x00", LONGEST_BCRYPT[:-1] + "\x00"):
        with refused(Failure.WRONG_PASSWORD):
            scene.log_in(ADA, other)
        assert stored_hash(scene) == known

    assert scene.is_signed_in(scene.log_in(ADA, LONGEST_BCRYPT))
    assert stored_hash(scene).startswith("$argon2id$")
    assert scene.is_signed_in(scene.log_in(ADA, LONGEST_BCRYPT))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, LONGEST_BCRYPT + "OTHER")


def test_a_customer_whose_password_bcrypt_truncates_resets_it_by_email(scene: Scene) -> None:
    longer = LONGEST_BCRYPT + " Nine otters."
    import_account(scene, bcrypt.hashpw(longer.encode()[:72], bcrypt.gensalt(4)).decode())
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, longer)

    scene.reset(scene.ask_reset(), longer)

    assert scene.is_signed_in(scene.log_in(ADA, longer))
    with refused(Failure.WRONG_PASSWORD):
        scene.log_in(ADA, LONGEST_BCRYPT)


def test_argon2id_of_another_system_is_rehashed_with_our_salt_and_cost(scene: Scene) -> None:
    elsewhere = Hasher(Parameters(3, 64, 2), parallel=1)
    import_account(scene, elsewhere.hash(PASSWORD, b"a salt elsewhere"))
    scene.log_in()
    assert stored_hash(scene).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    elsewhere._pool.shutdown()


def test_an_imported_former_password_is_refused(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    scene.reset(scene.ask_reset(), SECOND_PASSWORD)
    with refused(Failure.PASSWORD_REUSED):
        scene.reset(scene.ask_reset(), PASSWORD)


def test_an_imported_password_can_be_changed(scene: Scene) -> None:
    import_account(scene, pbkdf2(PASSWORD))
    scene.change(scene.log_in(), PASSWORD, SECOND_PASSWORD)
    assert scene.is_signed_in(scene.log_in(ADA, SECOND_PASSWORD))


def test_an_account_with_a_locked_password_keeps_its_imported_hash(scene: Scene) -> None:
    contact_id = import_account(scene, pbkdf2(PASSWORD))
    scene.change_row(update(Contact).where(Contact.c.id == contact_id).values(failed_passwords=100))
    with refused(Failure.PASSWORD_LOCKED):
        scene.log_in()
    assert stored_hash(scene) == pbkdf2(PASSWORD)
