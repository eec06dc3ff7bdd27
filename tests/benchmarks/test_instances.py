"""benchmarks/instances.py: the rows, from made-up values, and nginx in front of any number of portals."""

import re
from pathlib import Path

from benchmarks.instances import rows
from tests.deploy.proxied import configure


def test_rows_have_the_medians_of_each_setup_and_only_parts_that_used_cpu() -> None:
    one = [
        [40.0, 0.0, 1.3, 20.0, 0, 0, 0.5, 0],
        [60.0, 0.0, 1.1, 22.0, 0, 0, 0.7, 0],
        [50.0, 9.0, 1.2, 21.0, 0, 0, 0.6, 0],
    ]
    assert rows("POST /login", "hashes", [one, [[1000.4, 0.0, 2.0, 30.0, 4.0, 0.001, 1.0, 0.0]]]) == [
        ["POST /login: answered", "a second", "50", "1,000"],
        ["POST /login: 503", "%", "0.0", "0.0"],
        ["POST /login: CPU", "hashes", "1.20", "2.00"],
        ["POST /login: CPU of portals", "ms", "21.00", "30.00"],
        ["POST /login: CPU of PostgreSQL", "ms", "0.00", "4.00"],
        ["POST /login: CPU of nginx", "ms", "0.60", "1.00"],
    ]


def test_nginx_has_a_server_for_each_portal(tmp_path: Path) -> None:
    configure(tmp_path, 8080, 8443, [5001, 5002, 5003, 5004], {})
    found = re.findall(r"server 127\.0\.0\.1:(\d+) max_fails=0;", (tmp_path / "portal.conf").read_text())
    assert found == ["5001", "5002", "5003", "5004"]
