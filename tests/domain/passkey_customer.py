"""Customers who add passkeys and sign in with them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal.domain.audit_log import EventKind
from portal.domain.passkey_requests import PasskeyRequest, PasskeyResponse
from portal.domain.passkeys import Passkey
from portal.domain.relying_party import RelyingParty
from portal.domain.sign_ins import SignIn
from portal.domain.use_cases import add_passkey, log_in_by_passkey, reauthenticate
from portal.domain.use_cases.get_security import get_security
from portal.storage.models import Event
from tests.conftest import MovableClock
from tests.domain.scene import Scene, identity_of
from tests.passkeys import Authenticator

PARTY = RelyingParty("portal.example.com", "Example shop", "https://portal.example.com", ())
SHOP = "https://shop.example.com"
MINUTE = timedelta(minutes=1)
FRAMED_PARTY = RelyingParty("portal.example.com", "Example shop", "https://portal.example.com", (SHOP,))


def add(scene: Scene, identity: str, authenticator: Authenticator, party: RelyingParty = PARTY) -> Passkey:
    """Add a passkey in a session."""
    request = add_passkey.request_new_passkey(scene.context, scene.get(identity), party)
    return finish_adding(scene, identity, request, authenticator.create(request.options), party)


def finish_adding(
    scene: Scene, identity: str, request: PasskeyRequest, credential: str, party: RelyingParty = PARTY
) -> Passkey:
    customer = scene.get(identity)
    return add_passkey.add_passkey(
        scene.context, scene.visitor, customer, PasskeyResponse(party, [request.challenge], credential)
    )


def ask(scene: Scene, party: RelyingParty = PARTY) -> PasskeyRequest:
    """Request any passkey, to sign in."""
    return log_in_by_passkey.request_passkey(scene.context, party)


def finish(
    scene: Scene, request: PasskeyRequest, credential: str, party: RelyingParty = PARTY, **options: Any
) -> SignIn:
    """Sign in with the response to a request."""
    return log_in_by_passkey.log_in_by_passkey(
        scene.context,
        scene.visitor,
        PasskeyResponse(party, [request.challenge], credential),
        **{"remember": False, "replacing": None, **options},
    )


def begin(scene: Scene, authenticator: Authenticator, party: RelyingParty = PARTY) -> SignIn:
    """Sign in with a passkey, up to the second step if one is needed."""
    request = ask(scene, party)
    return finish(scene, request, authenticator.get(request.options), party)


def log_in(scene: Scene, authenticator: Authenticator, party: RelyingParty = PARTY) -> str:
    """Sign in with a passkey; return the identity."""
    return identity_of(begin(scene, authenticator, party))


def prove(
    scene: Scene, identity: str, authenticator: Authenticator, options: Mapping[str, Any] | None = None
) -> str | None:
    """Reauthenticate with a passkey."""
    customer = scene.get(identity)
    request = reauthenticate.request_own_passkey(scene.context, customer, PARTY)
    credential = authenticator.get(options or request.options)
    return reauthenticate.reauthenticate_by_passkey(
        scene.context, scene.visitor, customer, PasskeyResponse(PARTY, [request.challenge], credential)
    )


def passkeys_of(scene: Scene, identity: str) -> tuple[Passkey, ...]:
    return get_security(scene.context, scene.get(identity)).passkeys


def events(scene: Scene, *kinds: EventKind) -> list[tuple[str, str | None]]:
    """Return the events of these kinds, with the reasons for their refusal."""
    found = scene.rows(select(Event.c.kind, Event.c.refusal).where(Event.c.kind.in_(kinds)).order_by(Event.c.id))
    return [(kind, refusal) for kind, refusal in found]


def clock_of(scene: Scene) -> MovableClock:
    clock = scene.context.clock
    assert isinstance(clock, MovableClock)
    return clock
