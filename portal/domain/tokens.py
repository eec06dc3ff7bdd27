"""Generate random ids, and sign them to make tokens and codes.

The token in an email is an itsdangerous signature over a link's public id, with one salt per purpose; the code beside
it is derived from such a signature too. So the database contains nothing that gives access to an account.
"""

import hmac
import string
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from hashlib import sha256
from secrets import token_bytes

from itsdangerous import BadSignature, Signer

from portal.domain.errors import Failure, Refused

ALPHANUMERICS = string.ascii_letters + string.digits
PUBLIC_ID_LENGTH = 32
TOKEN_MAX_LENGTH = 128
CODE_DIGITS = 6


class Purpose(StrEnum):
    """The purpose of a link; a token is not valid for another purpose."""

    VERIFY = "verify"
    RESET = "reset"
    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"
    NOT_ME = "not_me"
    """To report that an event in a notice was not the customer's."""
    KEEP = "keep"
    """Keep an account that was closed."""
    ADDRESS_CHANGE = "address_change"
    ADDRESS_UNDO = "address_undo"
    """Undoes a change of address."""


def random_id(length: int = PUBLIC_ID_LENGTH, alphabet: str = ALPHANUMERICS) -> str:
    """Return random alphanumerics; 32 of them are 190 bits."""
    characters, unused = _characters(alphabet)
    text = b""
    while len(text) < length:
        text += token_bytes(2 * length).translate(characters, unused)
    return text[:length].decode()


@cache
def _characters(alphabet: str) -> tuple[bytes, bytes]:
    """Return a table from random bytes to ASCII characters, each from as many bytes, and the bytes that are left."""
    used = 256 - 256 % len(alphabet)
    return bytes(ord(alphabet[byte % len(alphabet)]) for byte in range(256)), bytes(range(used, 256))


def digest_of(secret: str) -> bytes:
    """Return the digest of a random secret for storage; a fast hash is safe, because the secret is random."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


class LinkSigner:
    """Signs and verifies the tokens and codes of emailed links. The last of the `keys` is the newest, and signs."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._signers = {
            purpose: Signer(list(keys), salt=f"portal.link.{purpose}", key_derivation="hmac", digest_method=sha256)
            for purpose in Purpose
        }

    def token(self, purpose: Purpose, public_id: str) -> str:
        return self._signers[purpose].sign(public_id).decode()

    def code(self, purpose: Purpose, public_id: str) -> str:
        """Return the six-digit code that goes with the token, for the browser that requested the link."""
        return self._codes(purpose, public_id)[-1]

    def is_code(self, purpose: Purpose, public_id: str, code: str) -> bool:
        """Return whether a text is the code of an id, under any of the keys."""
        typed = code.encode("utf-8", "replace")
        return any(hmac.compare_digest(known.encode(), typed) for known in self._codes(purpose, public_id))

    def _codes(self, purpose: Purpose, public_id: str) -> list[str]:
        signer = self._signers[purpose]
        digests = [
            hmac.digest(signer.derive_key(key), f"code {public_id}".encode(), sha256) for key in signer.secret_keys
        ]
        return [f"{int.from_bytes(digest) % 10**CODE_DIGITS:0{CODE_DIGITS}}" for digest in digests]

    def public_id(self, purpose: Purpose, token: str) -> str:
        """Return the id in a token; raises Refused(NO_SUCH_LINK) for any other text, without a query."""
        try:
            if len(token) > TOKEN_MAX_LENGTH:
                raise BadSignature("too long")
            return self._signers[purpose].unsign(token.encode("ascii")).decode("ascii")
        except (BadSignature, UnicodeError):
            raise Refused(Failure.NO_SUCH_LINK) from None
