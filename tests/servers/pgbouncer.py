"""A PgBouncer of Debian's, where there is one: tests that need it are skipped by name elsewhere."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.servers.processes import free_port, wait_until


@contextmanager
def pgbouncer(server_url: str, pool_mode: str) -> Iterator[str]:
    """Pool the connections to a database in at most two; yield the URL of the pool."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer: it is not installed here")
    info = psycopg.conninfo.conninfo_to_dict(server_url.replace("+psycopg", ""))
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="portal-pgbouncer-"))
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\npool = host={info['host']} port={info['port']} dbname={info['dbname']} user={info['user']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {pool_mode}\ndefault_pool_size = {2 if pool_mode == 'transaction' else 40}\n"
    )
    settings.chmod(0o644)
    user = ["-u", pwd.getpwnam("nobody").pw_name] if os.geteuid() == 0 else []
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *user, settings], stderr=log) as process:
        try:
            url = f"postgresql+psycopg://{info['user']}@127.0.0.1:{port}/pool"
            wait_until(lambda: _accepts(process, url, folder / "log"), "PgBouncer did not start")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            shutil.rmtree(folder)


def _accepts(process: "subprocess.Popen[bytes]", url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        psycopg.connect(url.replace("+psycopg", "")).close()
    except psycopg.OperationalError:
        return False
    return True
