"""benchmarks/cpu.py, with real processes."""

import subprocess
import sys

from benchmarks.cpu import cpu_seconds, family_cpu_seconds

_BURN = "import time\nwhile time.process_time() < 0.1: pass\n"
_FAMILY = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_BURN!r}]); print(flush=True); input()"


def test_the_time_of_an_ended_child_counts_for_the_family_only() -> None:
    with subprocess.Popen([sys.executable, "-c", _FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert family_cpu_seconds([parent.pid]) >= cpu_seconds(parent.pid) + 0.08
        parent.communicate(b"\n")
