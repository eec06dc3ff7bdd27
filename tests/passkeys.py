"""A software authenticator: creates passkeys and responds with them, in place of a browser and its device."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url

Json = Mapping[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
ES256, EDDSA, RS256 = -7, -8, -257
NO_AAGUID = bytes(16)
_PRESENT, _VERIFIED, _CAN_SYNC, _IS_SYNCED, _WITH_CREDENTIAL = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class Credential:
    """A passkey in an authenticator."""

    id: bytes
    rp_id: str
    user_handle: bytes
    key: PrivateKey
    sign_count: int = 0


@dataclass
class Authenticator:
    """A device or password manager with its passkeys, and its browser."""

    origin: str = "https://portal.example.com"
    """The origin of the page."""
    verifies_user: bool = True
    can_sync: bool = True
    is_synced: bool = True
    counts: bool = False
    aaguid: bytes = NO_AAGUID
    algorithm: int = ES256
    top_origin: str | None = None
    """The origin of the page around the frame."""
    credentials: list[Credential] = field(default_factory=list)

    def create(self, options: Json) -> str:
        """Create a passkey, as `navigator.credentials.create` does; return what the page's script sends.

        Raises ValueError if it has an excluded passkey.
        """
        excluded = {one["id"] for one in options["excludeCredentials"]}
        if any(bytes_to_base64url(one.id) in excluded for one in self.credentials):
            raise ValueError("InvalidStateError")
        made = Credential(
            secrets.token_bytes(32),
            options["rp"]["id"],
            base64url_to_bytes(options["user"]["id"]),
            _new_key(self.algorithm),
        )
        self.credentials.append(made)
        return self.describe(made, options["challenge"])

    def describe(self, made: Credential, challenge: str) -> str:
        """Return the response for a passkey as if it had just been created."""
        public_key = cbor2.dumps(_cose_key(made.key))
        attested = self.aaguid + len(made.id).to_bytes(2) + made.id + public_key
        attestation = {"fmt": "none", "attStmt": {}, "authData": self._authenticator_data(made, attested)}
        response = {
            "clientDataJSON": _encoded(self._client_data("webauthn.create", challenge)),
            "attestationObject": _encoded(cbor2.dumps(attestation)),
            "transports": ["internal", "hybrid"],
        }
        return _as_json(made, response)

    def get(self, options: Json, credential: Credential | None = None) -> str:
        """Respond with a passkey, as `navigator.credentials.get` does: one that is allowed, by default the newest."""
        allowed = {one["id"] for one in options["allowCredentials"]}
        found = [
            one
            for one in self.credentials
            if one.rp_id == options["rpId"] and (not allowed or bytes_to_base64url(one.id) in allowed)
        ]
        return self.answer(credential or found[-1], options["challenge"])

    def answer(self, credential: Credential, challenge: str) -> str:
        """Sign a challenge with a passkey."""
        if self.counts:
            credential.sign_count += 1
        authenticator_data = self._authenticator_data(credential)
        client_data = self._client_data("webauthn.get", challenge)
        response = {
            "clientDataJSON": _encoded(client_data),
            "authenticatorData": _encoded(authenticator_data),
            "signature": _encoded(_sign(credential.key, authenticator_data + sha256(client_data).digest())),
            "userHandle": _encoded(credential.user_handle),
        }
        return _as_json(credential, response)

    def _authenticator_data(self, credential: Credential, attested: bytes = b"") -> bytes:
        flags = _PRESENT | (_WITH_CREDENTIAL if attested else 0) | (_VERIFIED if self.verifies_user else 0)
        flags |= (_CAN_SYNC if self.can_sync else 0) | (_IS_SYNCED if self.can_sync and self.is_synced else 0)
        rp_id_hash = sha256(credential.rp_id.encode()).digest()
        return rp_id_hash + bytes([flags]) + credential.sign_count.to_bytes(4) + attested

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data: dict[str, Any] = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        if self.top_origin is not None:
            data |= {"crossOrigin": True, "topOrigin": self.top_origin}
        return json.dumps(data).encode()


def _as_json(credential: Credential, response: Json) -> str:
    credential_id = bytes_to_base64url(credential.id)
    return json.dumps(
        {
            "id": credential_id,
            "rawId": credential_id,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }
    )


def _encoded(data: bytes) -> str:
    return bytes_to_base64url(data)


def _new_key(algorithm: int) -> PrivateKey:
    if algorithm == EDDSA:
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == RS256:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _cose_key(key: PrivateKey) -> dict[int, object]:
    """The public key as RFC 9053 and RFC 8230 write it."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()}
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        return {1: 3, 3: RS256, -1: rsa_numbers.n.to_bytes(256), -2: rsa_numbers.e.to_bytes(3)}
    numbers = key.public_key().public_numbers()
    return {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}


def _sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), SHA256())
    return key.sign(data, ec.ECDSA(SHA256()))
