"""More sign-ins at once than the portal lets wait."""

import os
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any, Protocol, TypeVar

import argon2.low_level
import pytest

from tests.web.conftest import in_parallel

SIGN_INS = len(os.sched_getaffinity(0)) + 40
"""More than may wait, on a machine of any size."""


class Answered(Protocol):
    """A response of a page or of the API."""

    status: int


T = TypeVar("T", bound=Answered)


def flood(monkeypatch: pytest.MonkeyPatch, sign_in: Callable[[int], T]) -> list[T]:
    """Call `sign_in` with each number below SIGN_INS at once; return the responses.

    No password is hashed before ten of them were refused.
    """
    released, compute = Event(), argon2.low_level.hash_secret
    refused: list[T] = []

    def hash_later(*arguments: Any, **options: Any) -> bytes:
        released.wait(20)
        return compute(*arguments, **options)

    def note_refusal(number: int) -> T:
        response = sign_in(number)
        if response.status == 503:
            refused.append(response)
            if len(refused) > 10:
                released.set()
        return response

    monkeypatch.setattr(argon2.low_level, "hash_secret", hash_later)
    return in_parallel([partial(note_refusal, number) for number in range(SIGN_INS)])
