"""Verify the responses of authenticators, as WebAuthn level 3, section 7 requires.

The library takes 13 MiB with all that it loads, so this module is imported where a passkey is verified.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_cbor,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import AuthenticationCredential, CredentialDeviceType, RegistrationCredential

from portal.domain.errors import Failure, Refused
from portal.domain.passkey_requests import ALGORITHMS, Challenge, PasskeyResponse, Use, find_challenge
from portal.domain.relying_party import RelyingParty
from portal.storage.models import CREDENTIAL_ID_LENGTH

CREDENTIAL_MAX_LENGTH = 16_384
"""Characters of an authenticator's response as JSON."""


@dataclass(frozen=True)
class NewCredential:
    """A passkey that an authenticator has just created."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str
    transports: list[str]
    can_sync: bool
    is_synced: bool
    challenge: Challenge


@dataclass(frozen=True)
class Assertion:
    """An authenticator's signature of a challenge, which is not verified yet."""

    credential: AuthenticationCredential = field(repr=False)
    challenge: Challenge

    @property
    def credential_id(self) -> bytes:
        return self.credential.raw_id


@dataclass(frozen=True)
class VerifiedAssertion:
    """An assertion whose signature is right."""

    challenge: Challenge
    user_handle: bytes | None = field(repr=False)
    """The user handle that the authenticator stores with the passkey, if it returned one."""
    sign_count: int
    can_sync: bool
    is_synced: bool
    user_verified: bool
    """Whether the authenticator has verified its user, by a PIN or biometrics."""


def read_assertion(response: PasskeyResponse, use: Use, now: datetime) -> Assertion:
    """Return an authenticator's assertion, and the challenge of this browser that it signs.

    Raises Refused (PASSKEY_REFUSED, PASSKEY_EXPIRED).
    """
    with _refusing_invalid(Failure.PASSKEY_REFUSED):
        parsed = parse_authentication_credential_json(_limited(response.credential))
        answered = parse_client_data_json(parsed.response.client_data_json).challenge
    return Assertion(parsed, find_challenge(use, response.challenges, answered, now))


def verify_assertion(party: RelyingParty, assertion: Assertion, public_key: bytes) -> VerifiedAssertion:
    """Verify an assertion, except its user handle and counter. Raises Refused(PASSKEY_REFUSED)."""
    with _refusing_invalid(Failure.PASSKEY_REFUSED):
        _refuse_tags_in(assertion.credential.response.authenticator_data)
        verified = verify_authentication_response(
            credential=assertion.credential,
            expected_challenge=assertion.challenge.value,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # else the library would refuse a counter that went back
        )
        _check_frame(party.frame_ancestors, assertion.credential.response.client_data_json)
    return VerifiedAssertion(
        challenge=assertion.challenge,
        user_handle=assertion.credential.response.user_handle,
        sign_count=verified.new_sign_count,
        can_sync=verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
        is_synced=verified.credential_backed_up,
        user_verified=verified.user_verified,
    )


def verify_credential(response: PasskeyResponse, now: datetime) -> NewCredential:
    """Verify a passkey that an authenticator has just created.

    No attestation is requested, so nothing is proved about the authenticator. Raises Refused (PASSKEY_NOT_ADDED,
    PASSKEY_EXPIRED).
    """
    with _refusing_invalid(Failure.PASSKEY_NOT_ADDED):
        parsed = parse_registration_credential_json(_limited(response.credential))
        answered = parse_client_data_json(parsed.response.client_data_json).challenge
    challenge = find_challenge(Use.ADD, response.challenges, answered, now)
    with _refusing_invalid(Failure.PASSKEY_NOT_ADDED):
        _refuse_tags(parsed.response.attestation_object)
        _refuse_tags_in(parse_cbor(parsed.response.attestation_object)["authData"])
        return _verify_new(response.party, challenge, parsed)


def _verify_new(party: RelyingParty, challenge: Challenge, parsed: RegistrationCredential) -> NewCredential:
    verified = verify_registration_response(
        credential=parsed,
        expected_challenge=challenge.value,
        expected_rp_id=party.id,
        expected_origin=party.origin,
        supported_pub_key_algs=list(map(COSEAlgorithmIdentifier, ALGORITHMS)),
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
        challenge=challenge,
    )


@contextmanager
def _refusing_invalid(failure: Failure) -> Iterator[None]:
    """Raise Refused(failure) for input that the library cannot read or verify."""
    try:
        yield
    except Exception:  # noqa: BLE001 - the library raises exceptions of many classes for invalid JSON and CBOR
        raise Refused(failure) from None


def _limited(credential: str) -> str:
    if len(credential) > CREDENTIAL_MAX_LENGTH:
        raise ValueError("too long")
    return credential


def _refuse_tags_in(authenticator_data: bytes) -> None:
    """Refuse CBOR tags in the public key and the extensions of authenticator data."""
    start = 37  # after the hash of the host, the flags and the counter
    if authenticator_data[32] & 0x40:  # the AAGUID of a passkey, the length of its id, and the id
        start += 18 + int.from_bytes(authenticator_data[start + 16 : start + 18])
    _refuse_tags(authenticator_data[start:])


def _refuse_tags(cbor: bytes) -> None:
    """Refuse CBOR with tags, which authenticators never send (CTAP 2.1, section 8).

    The library makes the object that a tag names: a regular expression of 2 kB keeps it busy for seconds.
    """
    position = 0
    while position < len(cbor):
        kind, value = cbor[position] >> 5, cbor[position] & 31  # RFC 8949, section 3
        position += 1
        if 24 <= value < 28:
            size = 1 << (value - 24)
            value = int.from_bytes(cbor[position : position + size])
            position += size
        elif value == 31:  # of unknown length: its parts follow, each with its own
            value = 0
        if kind == 6:
            raise ValueError("a tag")
        if kind in (2, 3):
            position += value


def _check_frame(frame_ancestors: Sequence[str], client_data: bytes) -> None:
    """Check that the page was in no frame, or in a frame on a listed site, which the library does not check.

    Older browsers do not name the site.
    """
    said = json.loads(client_data)
    top = said.get("topOrigin")
    if (said.get("crossOrigin") and not frame_ancestors) or (top is not None and top not in frame_ancestors):
        raise ValueError("in a frame on another site")
