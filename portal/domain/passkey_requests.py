"""Requests to a browser for a passkey, and their challenges, which the browser sends back with the response.

Nothing is stored when a request is made: the page signs the challenge for the browser's session. A challenge that was
answered is stored, in the transaction of what the answer allows, so that no answer is accepted twice. What the answer
must be is in webauthn_ceremonies.py.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from sqlalchemy import Connection

from portal.domain.contacts import insert_or_ignore
from portal.domain.errors import Failure, Refused
from portal.domain.relying_party import RelyingParty
from portal.storage.models import UsedChallenge

ALGORITHMS = (-8, -7, -257)
"""Ed25519, ES256 and RS256, as COSE numbers them; the first that an authenticator knows is used."""
CHALLENGE_LIFETIME = timedelta(minutes=5)
_TIMEOUT = CHALLENGE_LIFETIME // timedelta(milliseconds=1)
_CHALLENGE_BYTES = 32
_USER_HANDLE_BYTES = 32
_USER_VERIFICATION = "preferred"


class Use(StrEnum):
    """What an answer to a challenge is for; it is accepted for nothing else."""

    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"
    ADD = "add"


@dataclass(frozen=True)
class Challenge:
    """Random bytes for an authenticator to sign, and what their signature is for."""

    use: Use
    value: bytes = field(repr=False)
    issued_at: datetime
    user_handle: bytes = field(default=b"", repr=False)
    """Of the customer that a passkey is made for; an authenticator does not send it back."""

    @classmethod
    def new(cls, use: Use, now: datetime, user_handle: bytes = b"") -> Self:
        return cls(use, secrets.token_bytes(_CHALLENGE_BYTES), now, user_handle)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the challenge of a text that `write` made."""
        use, issued_at, value, user_handle = text.split(".")
        issued = datetime.fromtimestamp(int(issued_at), UTC)
        return cls(Use(use), _from_base64url(value), issued, _from_base64url(user_handle))

    def write(self) -> str:
        """Return the text that the browser sends back."""
        return f"{self.use}.{int(self.issued_at.timestamp())}.{base64url(self.value)}.{base64url(self.user_handle)}"

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + CHALLENGE_LIFETIME


@dataclass(frozen=True)
class PasskeyRequest:
    """A request to a browser for a passkey."""

    options: dict[str, Any]
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."""
    challenge: str = field(repr=False)
    """What the browser sends back with the response. The page signs it for the session."""


@dataclass(frozen=True)
class PasskeyResponse:
    """The response of a browser to a request for a passkey."""

    party: RelyingParty
    challenges: Sequence[str] = field(repr=False)
    """The challenges that this browser was given."""
    credential: str = field(repr=False)
    """The authenticator's response to one of them, as JSON."""


@dataclass(frozen=True)
class Descriptor:
    """A passkey that a browser may use, or must not create again."""

    credential_id: bytes
    transports: Sequence[str]


@dataclass(frozen=True)
class User:
    """The customer that a passkey is created for, as authenticators show them."""

    handle: bytes = field(repr=False)
    name: str
    display_name: str


def base64url(data: bytes) -> str:
    """Encode bytes as WebAuthn's JSON does: in base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


def new_user_handle() -> bytes:
    return secrets.token_bytes(_USER_HANDLE_BYTES)


def request_assertion(
    party: RelyingParty, use: Use, now: datetime, allowed: Sequence[Descriptor] = ()
) -> PasskeyRequest:
    """Return the options of `navigator.credentials.get`; for any passkey of the host if none are named."""
    challenge = Challenge.new(use, now)
    options = {
        "challenge": base64url(challenge.value),
        "timeout": _TIMEOUT,
        "rpId": party.id,
        "allowCredentials": _descriptors(allowed),
        "userVerification": _USER_VERIFICATION,
    }
    return PasskeyRequest(options, challenge.write())


def request_credential(party: RelyingParty, user: User, now: datetime, known: Sequence[Descriptor]) -> PasskeyRequest:
    """Return the options of `navigator.credentials.create`; no authenticator that has a `known` one makes another."""
    challenge = Challenge.new(Use.ADD, now, user.handle)
    options = {
        "challenge": base64url(challenge.value),
        "timeout": _TIMEOUT,
        "rp": {"id": party.id, "name": party.name},
        "user": {"id": base64url(user.handle), "name": user.name, "displayName": user.display_name},
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "excludeCredentials": _descriptors(known),
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,  # the same for browsers of WebAuthn level 1
            "userVerification": _USER_VERIFICATION,
        },
        "attestation": "none",
    }
    return PasskeyRequest(options, challenge.write())


def _descriptors(named: Sequence[Descriptor]) -> list[dict[str, Any]]:
    return [
        {"type": "public-key", "id": base64url(one.credential_id), "transports": list(one.transports)} for one in named
    ]


def find_challenge(use: Use, challenges: Sequence[str], answered: bytes, now: datetime) -> Challenge:
    """Return the challenge of this browser that was answered. Raises Refused(PASSKEY_EXPIRED)."""
    for challenge in map(Challenge.read, challenges):
        if challenge.use is use and now < challenge.expires_at and hmac.compare_digest(challenge.value, answered):
            return challenge
    raise Refused(Failure.PASSKEY_EXPIRED)


def use_challenge(connection: Connection, challenge: Challenge) -> bool:
    """Store that a challenge was answered; return False if it was answered before."""
    digest = sha256(challenge.value).digest()
    statement = insert_or_ignore(connection, UsedChallenge, "digest").returning(UsedChallenge.c.id)
    row = {"digest": digest, "expires_at": challenge.expires_at}
    return connection.execute(statement, row).one_or_none() is not None
