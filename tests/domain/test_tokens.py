"""Random ids have the length and the alphabet that is asked for, and use each character about as often."""

from collections import Counter

import pytest

from portal.domain.tokens import ALPHANUMERICS, PUBLIC_ID_LENGTH, random_id

pytestmark = pytest.mark.on_sqlite


@pytest.mark.parametrize(("length", "alphabet"), [(1, "ab"), (16, "0123456789"), (PUBLIC_ID_LENGTH, ALPHANUMERICS)])
def test_an_id_has_its_length_and_its_alphabet(length: int, alphabet: str) -> None:
    ids = {random_id(length, alphabet) for _ in range(200)}
    assert {len(found) for found in ids} == {length}
    assert set("".join(ids)) <= set(alphabet)
    assert len(ids) == 200 or length == 1


def test_each_character_is_about_as_frequent() -> None:
    drawn = Counter("".join(random_id() for _ in range(4000)))
    mean = 4000 * PUBLIC_ID_LENGTH / len(ALPHANUMERICS)
    assert set(drawn) == set(ALPHANUMERICS)
    # Nine standard deviations: with bytes taken modulo 62, eight characters would be 20 % more frequent.
    assert max(abs(count - mean) for count in drawn.values()) < 9 * mean**0.5 < 0.2 * mean
