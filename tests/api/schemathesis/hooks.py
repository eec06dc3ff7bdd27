"""Texts in formats that the OpenAPI document names and JSON Schema does not define, for schemathesis."""

import schemathesis
from hypothesis import strategies as st

_MINUTES_OF_A_DAY = 24 * 60


def _duration(minutes: int) -> str:
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m")) if amount)


schemathesis.openapi.format("human-duration", st.integers(1, _MINUTES_OF_A_DAY).map(_duration))
schemathesis.openapi.format("phone", st.integers(601_000_000, 799_999_999).map("+420 {}".format))
# The organisation's one return origin.
schemathesis.openapi.format("uri", st.from_regex(r"\Ahttps://shop\.example\.com/[a-z0-9/?=&-]{0,80}\Z"))
