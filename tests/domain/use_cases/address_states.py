"""What the portal may know of an address when a request for it arrives."""

from sqlalchemy import update

from portal.storage.models import Contact
from tests.domain.scene import Scene


def unknown(scene: Scene) -> None:
    pass


def guest(scene: Scene) -> None:
    scene.add_guest()


def guest_who_registers(scene: Scene) -> None:
    scene.add_guest()
    scene.register()


def pending(scene: Scene) -> None:
    scene.register()


def customer(scene: Scene) -> None:
    scene.join()


def banned_guest(scene: Scene) -> None:
    scene.add_guest()
    scene.ban()


def banned_pending(scene: Scene) -> None:
    scene.register()
    scene.ban()


def banned_customer(scene: Scene) -> None:
    scene.join()
    scene.ban()


def customer_with_a_locked_password(scene: Scene) -> None:
    scene.join()
    scene.change_row(update(Contact).values(failed_passwords=100))
