"""The rows of the table in docs/performance.md: their names, goals and measured values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    text: str
    unit: str
    goal: float
    digits: int = 2
    is_minimum: bool = False
    """Whether the goal is the least, in place of the most."""

    def meets_goal(self, value: float) -> bool:
        """Return whether a value meets the goal, in the digits that are shown."""
        shown = round(value, self.digits)
        return shown >= self.goal if self.is_minimum else shown <= self.goal


@dataclass(frozen=True)
class Measured:
    """The values of a row, one for each round, and those of the bare reference in the same rounds."""

    ours: Sequence[float]
    bare: Sequence[float] = ()
    with_backends: Sequence[float] = ()
    """The values when the CPU time of PostgreSQL and Redis counts, too."""

    @property
    def value(self) -> float:
        """The median."""
        return median(self.ours)

    @property
    def bare_value(self) -> float | None:
        """The median of the reference, where the row has one."""
        return median(self.bare) if self.bare else None

    @property
    def value_with_backends(self) -> float | None:
        """The median with PostgreSQL and Redis, where the row has one."""
        return median(self.with_backends) if self.with_backends else None


ROWS: Mapping[str, Row] = {
    "login-page": Row("GET /login", "bare pages", 2.5),
    "account": Row("GET /account, signed in", "bare pages", 2.8),
    "sign-in": Row("POST /login", "hashes", 1.18),
    "reset-known": Row("ask for a reset, known address", "CPU ms", 4, 1),
    "reset-unknown": Row("ask for a reset, unknown address", "CPU ms", 4, 1),
    "new-password": Row("new password by a link", "hashes", 1.15),
    "change-password": Row("new password with the current one", "hashes", 2.15),
    "start": Row("start to the first page", "CPU s", 0.6),
    "memory": Row("memory before a sign-in", "MiB", 60, 0),
    "hash-share": Row("64 callers sign in: share of CPU spent hashing", "", 0.85, is_minimum=True),
    "turned-away": Row("64 callers sign in: answered 503", "%", 2, 1),
    "page-beside": Row("GET /login beside 64 sign-ins, median", "ms", 100, 0),
    "import": Row("import of customers (here 300,000)", "plain imports", 5.1, 1),
    "import-memory": Row("peak memory of the import", "MiB", 123, 0),
}
