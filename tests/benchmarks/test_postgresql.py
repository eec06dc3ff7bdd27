"""benchmarks/postgresql.py: the table, from made-up values."""

from benchmarks.postgresql import table
from benchmarks.rows import ROWS, Measured


def test_ratios_are_above_one_where_postgresql_costs_more_and_bold_up_to_the_goal() -> None:
    sqlite = dict.fromkeys(ROWS, Measured([2.0])) | {"turned-away": Measured([0.0]), "hash-share": Measured([0.6])}
    postgresql = dict.fromkeys(ROWS, Measured([2.4, 2.2, 9.0], (), [3.0])) | {"turned-away": Measured([0.0])}
    postgresql["hash-share"] = Measured([0.5])
    lines = {line.split(" | ")[0]: line for line in table(sqlite, postgresql).splitlines()}
    assert lines["| GET /login"] == "| GET /login | bare pages | 2.00 | 2.40 | **1.20** | 3.00 | 1.50 |"
    share = "| 64 callers sign in: share of CPU spent hashing"
    assert lines[share] == f"{share} |  | 0.60 | 0.50 | **1.20** |  |  |"
    assert lines["| 64 callers sign in: answered 503"].endswith("| % | 0.0 | 0.0 |  |  |  |")
    assert len(lines) == len(ROWS) + 2
