"""An authenticator's response is verified as WebAuthn level 3 requires; everything else is refused."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest
from webauthn import base64url_to_bytes
from webauthn.helpers import bytes_to_base64url, parse_authenticator_data

from portal.domain.errors import Failure
from portal.domain.passkey_requests import Challenge, PasskeyResponse, Use, User, request_assertion, request_credential
from portal.domain.relying_party import RelyingParty
from portal.domain.webauthn_ceremonies import (
    CREDENTIAL_MAX_LENGTH,
    NewCredential,
    VerifiedAssertion,
    read_assertion,
    verify_assertion,
    verify_credential,
)
from portal.storage.models import CREDENTIAL_ID_LENGTH
from tests.domain.scene import refused
from tests.passkeys import Authenticator, Credential

VECTORS: Mapping[str, Any] = json.loads((Path(__file__).parent / "webauthn_vectors.json").read_text("utf-8"))
"""WebAuthn level 3, "Test vectors": those whose algorithms are offered, and ES384, which is not."""
SITE = "https://example.com"
PARTY = RelyingParty("example.org", "W3C", "https://example.org", ())
FRAMED = replace(PARTY, frame_ancestors=(SITE,))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WITHOUT_FRAME = [
    "none.ES256",
    "packed.EdDSA",
    "packed.RS256",
    "packed-self.ES256",
    "none.ES256.long-credential-id",
    "packed.ES256",
]


def b64(encoded: str) -> str:
    return bytes_to_base64url(bytes.fromhex(encoded))


def credential(vector: Mapping[str, Any], **response: str) -> str:
    encoded = b64(vector["credentialId"])
    return json.dumps({"id": encoded, "rawId": encoded, "type": "public-key", "response": response})


def challenge(use: Use, encoded: str) -> str:
    return Challenge(use, bytes.fromhex(encoded), NOW, b"handle").write()


def register(vector: Mapping[str, Any], party: RelyingParty = PARTY) -> NewCredential:
    sent = vector["registration"]
    response = {name: b64(sent[name]) for name in ("clientDataJSON", "attestationObject")}
    return verify_credential(
        PasskeyResponse(party, [challenge(Use.ADD, sent["challenge"])], credential(vector, **response)), NOW
    )


def authenticate(vector: Mapping[str, Any], public_key: bytes, party: RelyingParty = PARTY) -> VerifiedAssertion:
    sent = vector["authentication"]
    response = {name: b64(sent[name]) for name in ("clientDataJSON", "authenticatorData", "signature")}
    challenges = [challenge(Use.SIGN_IN, sent["challenge"])]
    return verify_assertion(
        party,
        read_assertion(PasskeyResponse(party, challenges, credential(vector, **response)), Use.SIGN_IN, NOW),
        public_key,
    )


def public_key_of(vector: Mapping[str, Any]) -> bytes:
    attestation = cbor2.loads(bytes.fromhex(vector["registration"]["attestationObject"]))
    attested = parse_authenticator_data(attestation["authData"]).attested_credential_data
    assert attested is not None
    return attested.credential_public_key


@pytest.mark.parametrize("name", WITHOUT_FRAME)
def test_the_vectors_of_the_specification_are_verified(name: str) -> None:
    vector = VECTORS[name]
    made = register(vector)
    assert (made.credential_id.hex(), made.challenge.user_handle) == (vector["credentialId"], b"handle")
    assert made.public_key == public_key_of(vector)
    answer = authenticate(vector, made.public_key)
    flags = bytes.fromhex(vector["authentication"]["authenticatorData"])[32]
    assert (answer.user_verified, answer.can_sync, answer.is_synced) == tuple(bool(flags & bit) for bit in (4, 8, 16))
    assert (answer.sign_count, answer.can_sync) == (0, made.can_sync)


def test_the_longest_credential_id_is_that_of_the_specification() -> None:
    assert len(bytes.fromhex(VECTORS["none.ES256.long-credential-id"]["credentialId"])) == CREDENTIAL_ID_LENGTH


@pytest.mark.parametrize("name", ["none.ES256.crossOrigin", "none.ES256.topOrigin"])
def test_a_vector_in_a_frame_counts_only_on_a_listed_site_and_only_to_sign_in(name: str) -> None:
    vector = VECTORS[name]
    for party in (PARTY, FRAMED):
        with refused(Failure.PASSKEY_NOT_ADDED):
            register(vector, party)
    assert authenticate(vector, public_key_of(vector), FRAMED).sign_count == 0
    with refused(Failure.PASSKEY_REFUSED):
        authenticate(vector, public_key_of(vector), PARTY)


def test_a_vector_in_a_frame_on_another_site_is_refused() -> None:
    vector = VECTORS["none.ES256.topOrigin"]
    with refused(Failure.PASSKEY_REFUSED):
        authenticate(vector, public_key_of(vector), replace(PARTY, frame_ancestors=("https://shop.example",)))


def test_an_algorithm_that_was_not_offered_is_refused() -> None:
    with refused(Failure.PASSKEY_NOT_ADDED):
        register(VECTORS["packed.ES384"])


@pytest.mark.parametrize("name", ["none.ES256", "packed.EdDSA", "packed.RS256"])
@pytest.mark.parametrize("field", ["signature", "authenticatorData"])
def test_a_vector_with_one_bit_changed_is_refused(name: str, field: str) -> None:
    vector = json.loads(json.dumps(VECTORS[name]))
    changed = bytearray.fromhex(vector["authentication"][field])
    changed[-1] ^= 1
    vector["authentication"][field] = changed.hex()
    with refused(Failure.PASSKEY_REFUSED):
        authenticate(vector, public_key_of(vector))


def test_a_registration_is_no_sign_in_nor_the_other_way_round() -> None:
    phone = Authenticator(origin=PARTY.origin)
    adding = request_credential(PARTY, User(b"handle", "ada", "Ada"), NOW, [])
    made = phone.create(adding.options)
    request = request_assertion(PARTY, Use.SIGN_IN, NOW)
    answer = phone.get(request.options)
    with refused(Failure.PASSKEY_NOT_ADDED):
        verify_credential(PasskeyResponse(PARTY, [adding.challenge], answer), NOW)
    with refused(Failure.PASSKEY_REFUSED):
        read_assertion(PasskeyResponse(PARTY, [request.challenge], made), Use.SIGN_IN, NOW)


def test_client_data_of_the_other_ceremony_is_refused() -> None:
    phone = Authenticator(origin=PARTY.origin)
    adding = request_credential(PARTY, User(b"handle", "ada", "Ada"), NOW, [])
    key = verify_credential(PasskeyResponse(PARTY, [adding.challenge], phone.create(adding.options)), NOW).public_key
    request = request_assertion(PARTY, Use.SIGN_IN, NOW)
    sent = json.loads(phone.get(request.options))
    client_data = base64url_to_bytes(sent["response"]["clientDataJSON"]).replace(b"webauthn.get", b"webauthn.create")
    sent["response"]["clientDataJSON"] = bytes_to_base64url(client_data)
    answer = read_assertion(PasskeyResponse(PARTY, [request.challenge], json.dumps(sent)), Use.SIGN_IN, NOW)
    with refused(Failure.PASSKEY_REFUSED):
        verify_assertion(PARTY, answer, key)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "null",
        "{}",
        "[" * 5_000,
        '"a text"',
        "\0",
        "\ud800",
        " " * (CREDENTIAL_MAX_LENGTH + 1) + "{}",
        '{"id": 1, "rawId": 1, "type": "public-key", "response": {}}',
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": []}',
        '{"id": "A", "rawId": "A", "type": "public-key", "response": {"clientDataJSON": "A"}}',
    ],
)
def test_what_is_no_credential_is_refused(sent: str) -> None:
    with refused(Failure.PASSKEY_REFUSED):
        read_assertion(PasskeyResponse(PARTY, [challenge(Use.SIGN_IN, "00")], sent), Use.SIGN_IN, NOW)
    with refused(Failure.PASSKEY_NOT_ADDED):
        verify_credential(PasskeyResponse(PARTY, [challenge(Use.ADD, "00")], sent), NOW)


@pytest.mark.parametrize("value", [None, 1, "", "é", "AA", [], {}, "W10", "bnVsbA", "e30"])
@pytest.mark.parametrize("field", ["clientDataJSON", "attestationObject", "authenticatorData", "signature"])
def test_a_credential_with_a_wrong_part_is_refused(field: str, value: object) -> None:
    phone = Authenticator(origin=PARTY.origin)
    adding = request_credential(PARTY, User(b"handle", "ada", "Ada"), NOW, [])
    made = json.loads(phone.create(adding.options))
    key = verify_credential(PasskeyResponse(PARTY, [adding.challenge], json.dumps(made)), NOW).public_key
    request = request_assertion(PARTY, Use.SIGN_IN, NOW)
    answer = json.loads(phone.get(request.options))
    if field in made["response"]:
        made["response"][field] = value
        with refused(Failure.PASSKEY_NOT_ADDED):
            verify_credential(PasskeyResponse(PARTY, [adding.challenge], json.dumps(made)), NOW)
    if field in answer["response"]:
        answer["response"][field] = value
        with refused(Failure.PASSKEY_REFUSED):
            verify_assertion(
                PARTY,
                read_assertion(PasskeyResponse(PARTY, [request.challenge], json.dumps(answer)), Use.SIGN_IN, NOW),
                key,
            )


class Extending(Authenticator):
    """An authenticator that adds extensions to the data that it signs."""

    extensions: object = None

    def _authenticator_data(self, credential: Credential, attested: bytes = b"") -> bytes:
        data = super()._authenticator_data(credential, attested)
        if self.extensions is None:
            return data
        return data[:32] + bytes([data[32] | 0x80]) + data[33:] + cbor2.dumps(self.extensions)


def test_extensions_are_accepted_but_without_cbor_tags() -> None:
    """The library creates what a tag names, for example a regular expression that takes seconds to compile."""
    phone = Extending(origin=PARTY.origin)
    adding = request_credential(PARTY, User(b"handle", "ada", "Ada"), NOW, [])
    key = verify_credential(PasskeyResponse(PARTY, [adding.challenge], phone.create(adding.options)), NOW).public_key
    request = request_assertion(PARTY, Use.SIGN_IN, NOW)
    for extensions, is_accepted in (
        ({"hmac-secret": b"\xc0" * 300, "text": "\u00c0", "numbers": [-1.5, 2**40, None]}, True),
        ({"pattern": cbor2.CBORTag(35, "(?i)a")}, False),
        ({"numbers": [1, {"deep": [b"x", cbor2.CBORTag(70_000, 1)]}]}, False),
    ):
        phone.extensions = extensions
        with nullcontext() if is_accepted else refused(Failure.PASSKEY_NOT_ADDED):
            verify_credential(PasskeyResponse(PARTY, [adding.challenge], phone.create(adding.options)), NOW)
        with nullcontext() if is_accepted else refused(Failure.PASSKEY_REFUSED):
            answer = phone.answer(phone.credentials[0], request.options["challenge"])
            verify_assertion(
                PARTY, read_assertion(PasskeyResponse(PARTY, [request.challenge], answer), Use.SIGN_IN, NOW), key
            )


def test_an_attestation_with_a_cbor_tag_is_refused() -> None:
    phone = Authenticator(origin=PARTY.origin)
    adding = request_credential(PARTY, User(b"handle", "ada", "Ada"), NOW, [])
    made = json.loads(phone.create(adding.options))
    attestation = cbor2.loads(base64url_to_bytes(made["response"]["attestationObject"]))
    tagged = cbor2.dumps({**attestation, "more": cbor2.CBORTag(35, "(?i)a")})
    made["response"]["attestationObject"] = bytes_to_base64url(tagged)
    with refused(Failure.PASSKEY_NOT_ADDED):
        verify_credential(PasskeyResponse(PARTY, [adding.challenge], json.dumps(made)), NOW)


def test_what_browsers_and_logs_must_not_show_is_not_in_a_repr() -> None:
    request = request_assertion(PARTY, Use.SIGN_IN, NOW)
    assert request.challenge not in repr(request)
    assert "value" not in repr(Challenge.read(request.challenge))


def test_a_challenge_comes_back_as_it_was() -> None:
    kept = Challenge.new(Use.ADD, NOW, b"h" * 32)
    assert Challenge.read(kept.write()) == kept
    assert len(kept.value) == 32
