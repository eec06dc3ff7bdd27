"""Validate customer reference numbers."""

import re

_CUSTOMER_REFERENCE = re.compile(r"[A-Za-z0-9]{16}", re.ASCII)


def is_customer_reference(text: str) -> bool:
    """Return whether a text has the format of a customer reference number: 16 alphanumerics."""
    return _CUSTOMER_REFERENCE.fullmatch(text) is not None
