"""Encrypt secrets that the portal reads again, so that the database and its backups do not contain them in clear.

The keys are derived from SECRET_KEY and SECRET_KEY_FALLBACKS. A text that was encrypted with a former key can be read
as long as the key is a fallback; operations/reencrypt.py encrypts it with the current key.

The library cryptography is imported where it is used: it takes 7 MiB, and only customers with a second step need it.
"""

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_KEY_ID_BYTES = 8


class Unreadable(Exception):
    """A text was encrypted with none of the keys, or for another customer."""


class SecretBox:
    """Encrypts texts, each for one customer. The last of the `keys` is the newest, and encrypts."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._newest_first = [key.encode() for key in reversed(keys)]

    @cached_property
    def key_id(self) -> str:
        """The id of the key that encrypts."""
        return _derive(self._newest_first[0], "id", _KEY_ID_BYTES).hex()

    @cached_property
    def _fernet(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet  # slow to load, and only the second step needs it

        keys = [base64.urlsafe_b64encode(_derive(key, "key", 32)) for key in self._newest_first]
        return MultiFernet([Fernet(key) for key in keys])

    def seal(self, contact_id: int, text: str) -> str:
        """Encrypt a text; the same text gives another result each time."""
        return self._fernet.encrypt(f"{contact_id} {text}".encode()).decode()

    def open(self, contact_id: int, sealed: str) -> str:
        """Decrypt a text of a customer. Raises Unreadable."""
        from cryptography.fernet import InvalidToken

        try:
            owner, _, text = self._fernet.decrypt(sealed).decode().partition(" ")
        except InvalidToken:
            raise Unreadable from None
        if owner != str(contact_id):
            raise Unreadable
        return text


def _derive(key: bytes, use: str, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length, salt=None, info=f"portal.secret_box.{use}".encode()).derive(key)
