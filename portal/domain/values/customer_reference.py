"""Validate customer reference numbers."""

import re

CUSTOMER_REFERENCE = "[A-Za-z0-9]{16}"
"""A regular expression, in the syntax that Python and JSON Schema share."""


def is_customer_reference(text: str) -> bool:
    """Return whether a text has the format of a customer reference number: 16 alphanumerics."""
    return re.fullmatch(CUSTOMER_REFERENCE, text) is not None
