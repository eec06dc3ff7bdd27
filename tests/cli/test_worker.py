import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment, handles_signals, run_portal, wait_until


def test_a_database_without_a_schema_is_refused(run: Run) -> None:
    assert "portal db upgrade" in run("worker").complaint


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_it_delivers_until_a_signal_comes(tmp_path: Path, number: signal.Signals) -> None:
    assert run_portal(tmp_path, "db", "upgrade").returncode == 0
    with subprocess.Popen(
        [PORTAL, "worker"], env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as worker:
        wait_until(lambda: handles_signals(worker))
        worker.send_signal(number)
        worker.send_signal(number)
        out, err = worker.communicate(timeout=PATIENCE_SECONDS)
    assert worker.returncode == 0, err
    assert (out, err) == ("", "")
