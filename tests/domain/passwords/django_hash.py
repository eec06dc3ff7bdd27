"""A password hash as Django stores it."""

import base64
import hashlib

FOREIGN = "pbkdf2_sha256$1000$Zq3uWx9sTb1k$"


def pbkdf2(password: str) -> str:
    """Return the hash of a password as Django stores it."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"Zq3uWx9sTb1k", 1000)
    return FOREIGN + base64.b64encode(digest).decode()
