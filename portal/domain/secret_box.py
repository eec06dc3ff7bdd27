"""Encrypt what must be read again, and must not be readable in the database or a backup.

The keys are derived from SECRET_KEY and SECRET_KEY_FALLBACKS. What was encrypted with a former key can be read as long
as that is a fallback; operations/reencrypt.py encrypts it with the current one.
"""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_ID_BYTES = 8


class Unreadable(Exception):
    """A text was encrypted with none of the keys, or for another customer."""


class SecretBox:
    """Encrypts texts for one customer each. The newest of the `keys` is the last, and encrypts."""

    def __init__(self, keys: Sequence[str]) -> None:
        newest_first = [key.encode() for key in reversed(keys)]
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(key, "key", 32))) for key in newest_first])
        self.key_id = _derive(newest_first[0], "id", _KEY_ID_BYTES).hex()
        """Identifies the key that encrypts."""

    def seal(self, contact_id: int, text: str) -> str:
        """Encrypt a text; the same text gives another result each time."""
        return self._fernet.encrypt(f"{contact_id} {text}".encode()).decode()

    def open(self, contact_id: int, sealed: str) -> str:
        """Decrypt a text of a customer. Raises Unreadable."""
        try:
            owner, _, text = self._fernet.decrypt(sealed).decode().partition(" ")
        except InvalidToken:
            raise Unreadable from None
        if owner != str(contact_id):
            raise Unreadable
        return text


def _derive(key: bytes, use: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=f"portal.secret_box.{use}".encode()).derive(key)
