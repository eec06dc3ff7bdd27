"""Random ids, and the signatures that make tokens of them.

The token in a mail is an itsdangerous signature over a link's public id, with one salt for each purpose, and the code
beside it is made of such a signature too: the database holds nothing that opens an account.
"""

import hmac
import string
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from random import SystemRandom

from itsdangerous import BadSignature, Signer

from portal.domain.errors import Failure, Refused

ALPHANUMERICS = string.ascii_letters + string.digits
PUBLIC_ID_LENGTH = 32
TOKEN_MAX_LENGTH = 128
CODE_DIGITS = 6
_random = SystemRandom()
"""The system's own source, the one of `secrets`, drawn from once for all characters."""


class Purpose(StrEnum):
    """What a link is good for; a token of one purpose is nothing under another."""

    VERIFY = "verify"
    RESET = "reset"
    SIGN_IN = "sign_in"
    REAUTHENTICATE = "reauthenticate"


def random_id(length: int = PUBLIC_ID_LENGTH) -> str:
    """Random alphanumerics; 32 of them are 190 bits."""
    return "".join(_random.choices(ALPHANUMERICS, k=length))


def digest_of(secret: str) -> bytes:
    """What is stored of a random secret. It is random, so a fast digest keeps it (a slow one would only cost time)."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


class LinkSigner:
    """Makes and reads the tokens of mailed links. `keys` as itsdangerous wants them: the newest last."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._signers = {
            purpose: Signer(list(keys), salt=f"portal.link.{purpose}", key_derivation="hmac", digest_method=sha256)
            for purpose in Purpose
        }

    def token(self, purpose: Purpose, public_id: str) -> str:
        """The token to mail."""
        return self._signers[purpose].sign(public_id).decode()

    def code(self, purpose: Purpose, public_id: str) -> str:
        """The code to mail beside the token: the same proof in six digits, for the browser that asked."""
        return self._codes(purpose, public_id)[-1]

    def is_code(self, purpose: Purpose, public_id: str, code: str) -> bool:
        """Whether a text is the code of an id; also under a key that is a fallback now."""
        typed = code.encode("utf-8", "replace")
        return any(hmac.compare_digest(known.encode(), typed) for known in self._codes(purpose, public_id))

    def _codes(self, purpose: Purpose, public_id: str) -> list[str]:
        signer = self._signers[purpose]
        digests = [
            hmac.digest(signer.derive_key(key), f"code {public_id}".encode(), sha256) for key in signer.secret_keys
        ]
        return [f"{int.from_bytes(digest) % 10**CODE_DIGITS:0{CODE_DIGITS}}" for digest in digests]

    def public_id(self, purpose: Purpose, token: str) -> str:
        """The id inside a token; raises Refused(NO_SUCH_LINK) for any other text, without a query."""
        try:
            if len(token) > TOKEN_MAX_LENGTH:
                raise BadSignature("too long")
            return self._signers[purpose].unsign(token.encode("ascii")).decode("ascii")
        except (BadSignature, UnicodeError):
            raise Refused(Failure.NO_SUCH_LINK) from None
