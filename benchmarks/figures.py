"""Statistics of measurements: median, range, deviation and confidence interval."""

import random
from collections.abc import Sequence
from statistics import median

_RESAMPLES = 2000


def with_range(values: Sequence[float], digits: int = 2) -> str:
    """Format the median, with minimum and maximum in brackets."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def deviation(values: Sequence[float]) -> float:
    """Return the median absolute deviation."""
    center = median(values)
    return median(abs(value - center) for value in values)


def difference_interval(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """Return the 99 % bootstrap confidence interval of the difference of the medians."""
    rng = random.Random(0)  # noqa: S311 - a fixed seed: the same samples give the same interval
    differences = sorted(
        median(rng.choices(one, k=len(one))) - median(rng.choices(other, k=len(other))) for _ in range(_RESAMPLES)
    )
    cut = _RESAMPLES // 200
    return differences[cut], differences[-cut - 1]
