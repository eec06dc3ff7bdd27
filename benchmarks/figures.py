"""Figures a person can read: a middle, and how far to trust it."""

import random
from collections.abc import Sequence
from statistics import median

_RESAMPLES = 2000


def with_range(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the lowest and highest in brackets."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def deviation(values: Sequence[float]) -> float:
    """The median absolute deviation: noise, as half of the values see it."""
    middle = median(values)
    return median(abs(value - middle) for value in values)


def difference_interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Where the difference of the medians lies in 99 of 100 bootstrap resamples."""
    chance = random.Random(0)  # noqa: S311 - the same samples give the same interval
    differences = sorted(
        median(chance.choices(one, k=len(one))) - median(chance.choices(other, k=len(other))) for _ in range(_RESAMPLES)
    )
    cut = _RESAMPLES // 200
    return differences[cut], differences[-cut - 1]
