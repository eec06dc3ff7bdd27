"""The ceremonies of WebAuthn (level 3, section 7): options for browsers, and checks of what an authenticator answers.

Nothing is stored when options are given out: the browser brings the challenge back, signed by the page for its session.
A challenge that was answered is stored, in the transaction of what it allows, so that no answer is accepted twice.
"""

import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from sqlalchemy import Connection
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import (
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.domain.contacts import insert_unless_there
from portal.domain.errors import Failure, Refused
from portal.domain.relying_party import RelyingParty
from portal.storage.models import CREDENTIAL_ID_LENGTH, UsedChallenge

CHALLENGE_LIFETIME = timedelta(minutes=5)
CREDENTIAL_MAX_LENGTH = 16_384
"""Characters of an authenticator's answer as JSON."""
_CHALLENGE_BYTES = 32
_USER_HANDLE_BYTES = 32


class Use(StrEnum):
    """What an answer to a challenge is for; it is accepted for nothing else."""

    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"
    ADD = "add"


@dataclass(frozen=True)
class Challenge:
    """What an authenticator has to sign."""

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
        return cls(Use(use), base64url_to_bytes(value), issued, base64url_to_bytes(user_handle))

    def write(self) -> str:
        """Return the text that the browser brings back."""
        parts = (bytes_to_base64url(self.value), bytes_to_base64url(self.user_handle))
        return f"{self.use}.{int(self.issued_at.timestamp())}.{'.'.join(parts)}"

    @property
    def expires_at(self) -> datetime:
        return self.issued_at + CHALLENGE_LIFETIME


@dataclass(frozen=True)
class PasskeyRequest:
    """What asks a browser for a passkey."""

    options: dict[str, Any]
    """For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON`."""
    challenge: str = field(repr=False)
    """What the browser brings back with the answer. The page must sign it for the session, so that it is this one."""


@dataclass(frozen=True)
class Descriptor:
    """A passkey that the browser is to use, or is not to make again."""

    credential_id: bytes
    transports: Sequence[str]


@dataclass(frozen=True)
class NewCredential:
    """A passkey that an authenticator has just made."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str
    transports: list[str]
    can_sync: bool
    is_synced: bool
    user_handle: bytes = field(repr=False)
    challenge: Challenge


@dataclass(frozen=True)
class Answer:
    """An authenticator's answer to a challenge, which is not verified yet."""

    credential: AuthenticationCredential = field(repr=False)
    challenge: Challenge

    @property
    def credential_id(self) -> bytes:
        return self.credential.raw_id

    @property
    def user_handle(self) -> bytes | None:
        return self.credential.response.user_handle


@dataclass(frozen=True)
class VerifiedAnswer:
    """An answer whose signature is right."""

    challenge: Challenge
    sign_count: int
    can_sync: bool
    is_synced: bool
    user_verified: bool
    """Whether the authenticator has verified its user, by a PIN or biometrics."""


def new_user_handle() -> bytes:
    return secrets.token_bytes(_USER_HANDLE_BYTES)


def request_answer(party: RelyingParty, use: Use, now: datetime, allowed: Sequence[Descriptor] = ()) -> PasskeyRequest:
    """Return the options of `navigator.credentials.get`; for any passkey of the host if none are named."""
    challenge = Challenge.new(use, now)
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge.value,
        timeout=_milliseconds(CHALLENGE_LIFETIME),
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return PasskeyRequest(options_to_json_dict(options), challenge.write())


@dataclass(frozen=True)
class User:
    """The customer that a passkey is made for, as authenticators show them."""

    handle: bytes = field(repr=False)
    name: str
    display_name: str


def request_credential(party: RelyingParty, user: User, now: datetime, known: Sequence[Descriptor]) -> PasskeyRequest:
    """Return the options of `navigator.credentials.create`; no authenticator that has a `known` one makes another."""
    challenge = Challenge.new(Use.ADD, now, user.handle)
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_id=user.handle,
        user_name=user.name,
        user_display_name=user.display_name,
        challenge=challenge.value,
        timeout=_milliseconds(CHALLENGE_LIFETIME),
        exclude_credentials=_descriptors(known),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return PasskeyRequest(options_to_json_dict(options), challenge.write())


def _milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _descriptors(named: Sequence[Descriptor]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(one.credential_id, transports=list(map(AuthenticatorTransport, one.transports)))
        for one in named
    ]


def read_answer(use: Use, challenges: Sequence[str], credential: str, now: datetime) -> Answer:
    """Return an authenticator's answer, and the challenge of this browser that it is for.

    Raises Refused (PASSKEY_REFUSED, PASSKEY_EXPIRED).
    """
    with _hostile_input(Failure.PASSKEY_REFUSED):
        parsed = parse_authentication_credential_json(_limited(credential))
        answered = parse_client_data_json(parsed.response.client_data_json).challenge
    return Answer(parsed, _find_challenge(use, challenges, answered, now))


def verify_answer(party: RelyingParty, answer: Answer, public_key: bytes) -> VerifiedAnswer:
    """Verify an answer, but for its user handle and counter. Raises Refused(PASSKEY_REFUSED)."""
    with _hostile_input(Failure.PASSKEY_REFUSED):
        verified: VerifiedAuthentication = verify_authentication_response(
            credential=answer.credential,
            expected_challenge=answer.challenge.value,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # else the library would refuse a counter that went back
        )
        _check_frame(party.frame_ancestors, answer.credential.response.client_data_json)
    return VerifiedAnswer(
        challenge=answer.challenge,
        sign_count=verified.new_sign_count,
        can_sync=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        is_synced=verified.credential_backed_up,
        user_verified=verified.user_verified,
    )


def verify_credential(party: RelyingParty, challenges: Sequence[str], credential: str, now: datetime) -> NewCredential:
    """Verify a passkey that an authenticator has just made.

    Its attestation is not asked for, so it proves nothing about the authenticator. Raises Refused (PASSKEY_NOT_ADDED,
    PASSKEY_EXPIRED).
    """
    with _hostile_input(Failure.PASSKEY_NOT_ADDED):
        parsed = parse_registration_credential_json(_limited(credential))
        answered = parse_client_data_json(parsed.response.client_data_json).challenge
    challenge = _find_challenge(Use.ADD, challenges, answered, now)
    with _hostile_input(Failure.PASSKEY_NOT_ADDED):
        return _verify_new(party, challenge, parsed)


def _verify_new(party: RelyingParty, challenge: Challenge, parsed: RegistrationCredential) -> NewCredential:
    verified = verify_registration_response(
        credential=parsed,
        expected_challenge=challenge.value,
        expected_rp_id=party.id,
        expected_origin=party.origin,
    )
    _check_frame((), parsed.response.client_data_json)
    if verified.credential_id != parsed.raw_id or len(verified.credential_id) > CREDENTIAL_ID_LENGTH:
        raise ValueError("not a credential id")
    return NewCredential(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        aaguid=verified.aaguid,
        transports=[transport.value for transport in parsed.response.transports or ()],
        can_sync=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        is_synced=verified.credential_backed_up,
        user_handle=challenge.user_handle,
        challenge=challenge,
    )


@contextmanager
def _hostile_input(failure: Failure) -> Iterator[None]:
    """Refuse what the library cannot read or verify."""
    try:
        yield
    except Exception:  # noqa: BLE001 - the library raises nearly anything for JSON and CBOR that are not what they should be
        raise Refused(failure) from None


def _limited(credential: str) -> str:
    if len(credential) > CREDENTIAL_MAX_LENGTH:
        raise ValueError("too long")
    return credential


def _find_challenge(use: Use, challenges: Sequence[str], answered: bytes, now: datetime) -> Challenge:
    for challenge in map(Challenge.read, challenges):
        if challenge.use is use and now < challenge.expires_at and hmac.compare_digest(challenge.value, answered):
            return challenge
    raise Refused(Failure.PASSKEY_EXPIRED)


def _check_frame(frame_ancestors: Sequence[str], client_data: bytes) -> None:
    """Check that the browser has asked in no frame on another site, or on a listed one. The library does not.

    Older browsers do not name the site.
    """
    said = json.loads(client_data)
    top = said.get("topOrigin")
    if (said.get("crossOrigin") and not frame_ancestors) or (top is not None and top not in frame_ancestors):
        raise ValueError("in a frame on another site")


def use_challenge(connection: Connection, challenge: Challenge) -> bool:
    """Store that a challenge was answered; return False if it was answered before."""
    digest = sha256(challenge.value).digest()
    statement = insert_unless_there(connection, UsedChallenge, "digest").returning(UsedChallenge.id)
    row = {"digest": digest, "expires_at": challenge.expires_at}
    return connection.execute(statement, row).one_or_none() is not None
