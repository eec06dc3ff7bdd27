"""Steps of a change of address."""

from sqlalchemy import select

from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.use_cases.confirm_address_change import (
    confirm_address_change,
    get_change_link_by_code,
    get_requested_change,
)
from portal.domain.use_cases.log_in_by_email import request_sign_in
from portal.domain.use_cases.request_address_change import (
    find_pending_change,
    request_address_change,
)
from portal.domain.use_cases.undo_address_change import get_undo_link, undo_address_change
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event
from tests.domain.scene import ADA, Scene

NEW = "ada.new@example.com"
THIRD = "ada.third@example.com"
BOB = "bob@example.com"


def ask(scene: Scene, identity: str, email: str = NEW) -> str:
    """Request a change; return the token that was emailed to the new address."""
    request_address_change(scene.context, scene.visitor, scene.get(identity), parse_email(email))
    return scene.token(Notice.ADDRESS_CHANGE)


def confirm(scene: Scene, token: str) -> None:
    requested = get_requested_change(scene.context, scene.visitor, token)
    confirm_address_change(scene.context, scene.visitor, requested.link)


def change(scene: Scene, identity: str, email: str = NEW) -> str:
    """Change the address; return the token that was emailed to the former one, which undoes the change."""
    confirm(scene, ask(scene, identity, email))
    return scene.token(Notice.ADDRESS_CHANGED)


def undo(scene: Scene, token: str) -> str:
    """Undo a change; return the token that sets a new password."""
    link = get_undo_link(scene.context, scene.visitor, token)
    public_id = undo_address_change(scene.context, scene.visitor, link)
    token = scene.token(Notice.ADDRESS_RESTORED)
    assert scene.context.signer.public_id(Purpose.RESET, token) == public_id
    return token


def address_of(scene: Scene, identity: str) -> str | None:
    return scene.get(identity).email


def pending(scene: Scene, identity: str) -> str | None:
    found = find_pending_change(scene.context, scene.get(identity))
    return found.email if found else None


def emails(scene: Scene) -> list[str]:
    return [row.email for row in scene.rows(select(Contact.c.email).order_by(Contact.c.id))]


def events(scene: Scene) -> list[tuple[str, str | None]]:
    kinds = select(Event.c.kind, Event.c.refusal).where(Event.c.kind.startswith("address_")).order_by(Event.c.id)
    return [tuple(row) for row in scene.rows(kinds)]


def request_sign_in_link(scene: Scene) -> None:
    request_sign_in(scene.context, scene.visitor, parse_email(ADA))


def type_code(scene: Scene, identity: str, code: str) -> None:
    link = get_change_link_by_code(scene.context, scene.visitor, scene.get(identity), code)
    confirm_address_change(scene.context, scene.visitor, link)


def code_of(scene: Scene, token: str) -> str:
    signer = scene.context.signer
    return signer.code(Purpose.ADDRESS_CHANGE, signer.public_id(Purpose.ADDRESS_CHANGE, token))
