import signal
import socket
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.cli.process import Served, run_portal, serving, serving_at, wait_until
from tests.conftest import SECRET_KEY
from tests.domain.instrumentation import in_parallel
from tests.servers.processes import free_port
from tests.servers.reusable_database import ReusableDatabase


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return tmp_path / "instance"


def complaint(instance: Path, *arguments: str, **settings: str) -> str:
    """The only line of a command that refuses to start."""
    ended = run_portal(instance, *arguments, **settings)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def begin_request(served: Served, path: str = "/healthz") -> socket.socket:
    """Send a request without its last line."""
    client = socket.create_connection(("127.0.0.1", served.port), timeout=30)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode())
    return client


def test_a_new_instance_serves_and_is_private_to_its_owner(instance: Path) -> None:
    with serving(instance):
        wait_until((instance / "portal.sqlite3-shm").exists)
        assert mode(instance) == 0o700
        for name in ("secret.key", "portal.sqlite3", "portal.sqlite3-wal", "portal.sqlite3-shm"):
            assert mode(instance / name) == 0o600, name
        assert [path.name for path in instance.rglob("*") if mode(path) & 0o077] == []


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.full),
        pytest.param(signal.SIGHUP, marks=pytest.mark.full),
    ],
)
def test_a_signal_to_the_process_group_stops_it_cleanly(instance: Path, number: signal.Signals) -> None:
    with serving(instance) as served:
        served.signal_group(number)
        assert served.end() == 0
        assert served.complaints() == []


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_a_running_request_is_finished_though_the_signal_comes_twice(instance: Path, number: signal.Signals) -> None:
    with serving(instance) as served:
        with begin_request(served) as client:
            wait_until_accepted(served)
            served.signal_group(number)
            wait_until(lambda: is_locked(served))
            served.signal_group(number)
            client.sendall(b"\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        assert served.end() == 0


@pytest.mark.full
def test_readiness_is_refused_while_the_server_stops(instance: Path) -> None:
    with serving(instance) as served:
        with begin_request(served, "/readyz") as client:
            wait_until_accepted(served)
            served.process.terminate()
            wait_until(lambda: is_locked(served))
            client.sendall(b"\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 503 ")
        assert served.end() == 0


def wait_until_accepted(served: Served) -> None:
    """Connections are accepted in order: once a later one has a response, the earlier ones are accepted."""
    urllib.request.urlopen(f"{served.url}/healthz", timeout=30).close()


def is_locked(served: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", served.port), timeout=30).close()
    except OSError:
        return True
    return False


@pytest.mark.full
def test_a_taken_port_is_one_line_and_leaves_the_other_alone(instance: Path) -> None:
    with serving(instance) as served:
        line = complaint(instance, "serve", "--port", str(served.port))
        assert line == (
            f"Error: Port {served.port} on 127.0.0.1 is in use; stop the other program,"
            " or choose another port with --port."
        )
        assert urllib.request.urlopen(f"{served.url}/healthz", timeout=30).status == 200


@pytest.mark.full
def test_a_port_is_taken_again_at_once_after_connections_on_it_were_closed(instance: Path) -> None:
    port = free_port()
    for _ in range(3):
        with serving_at(port, instance) as served:
            urllib.request.urlopen(f"{served.url}/healthz", timeout=30).close()
            served.process.terminate()
            assert served.end() == 0


@pytest.mark.full
def test_a_port_for_metrics_that_is_the_portals_own_is_refused(instance: Path) -> None:
    port = str(free_port())
    line = complaint(instance, "serve", "--port", port, METRICS_PORT=port)
    assert line == "Error: PORTAL_METRICS_PORT: must differ from the port of the portal"


@pytest.mark.full
def test_a_port_for_metrics_that_is_taken_is_one_line_and_leaves_the_others_alone(instance: Path) -> None:
    scraped = free_port()
    with (
        serving(instance, METRICS_PORT=str(scraped)) as served,
        socket.create_server(("127.0.0.1", 0)) as stranger,
    ):
        ports = [served.port, scraped, stranger.getsockname()[1]]
        starts = [
            partial(complaint, instance, "serve", "--port", str(free_port()), METRICS_PORT=str(port)) for port in ports
        ]
        assert in_parallel(starts) == [
            f"Error: Port {port} on 127.0.0.1 is in use; stop the other program,"
            " or choose another port with PORTAL_METRICS_PORT."
            for port in ports
        ]
        assert urllib.request.urlopen(f"{served.url}/healthz", timeout=30).status == 200


@pytest.mark.full
def test_a_second_portal_that_counts_apart_is_warned_of(instance: Path) -> None:
    with serving(instance), serving(instance) as second, serving(instance) as third:
        for served in (second, third):
            assert len([line for line in served.complaints() if "RATELIMIT_STORAGE_URI" in line]) == 1
    with serving(instance) as alone:
        assert alone.complaints() == []


@pytest.mark.on_postgresql
@pytest.mark.full
def test_one_process_that_counts_apart_is_warned_of_where_there_may_be_others(
    instance: Path, reusable_database: ReusableDatabase
) -> None:
    with serving(instance, DATABASE_URL=reusable_database.wipe().url, SECRET_KEY=SECRET_KEY) as served:
        assert len([line for line in served.complaints() if "RATELIMIT_STORAGE_URI" in line]) == 1


@pytest.mark.full
@pytest.mark.on_postgresql
def test_a_portal_whose_data_and_key_are_elsewhere_writes_nothing_into_its_folder(
    instance: Path, reusable_database: ReusableDatabase
) -> None:
    settings = {
        "DATABASE_URL": reusable_database.wipe().url,
        "SECRET_KEY": SECRET_KEY,
        "MAIL_SERVER": "mail.example.com",
    }
    with serving(instance, **settings) as served:
        assert urllib.request.urlopen(f"{served.url}/readyz", timeout=30).status == 200
        assert list(instance.iterdir()) == []


def test_it_prints_where_the_portal_and_the_mailbox_are(instance: Path) -> None:
    with serving(instance) as served:
        served.process.terminate()
        served.end()
        assert served.printed().splitlines() == [
            f"Portal:   {served.url}/",
            f"Mailbox:  {served.url}/dev/mailbox",
        ]


@pytest.mark.full
def test_a_configured_base_url_is_printed(instance: Path) -> None:
    with serving(instance, BASE_URL="https://portal.example.com") as served:
        served.process.terminate()
        served.end()
        assert served.printed().splitlines() == ["Portal:   https://portal.example.com/"]


@pytest.mark.full
def test_a_base_url_in_the_settings_file_counts_as_set(instance: Path) -> None:
    instance.mkdir()
    (instance / "portal.toml").write_text('base_url = "http://127.0.0.1:5000"\n')
    with serving(instance) as served:
        served.process.terminate()
        served.end()
        assert served.printed().startswith("Portal:   http://127.0.0.1:5000/\n")


@pytest.mark.full
def test_answers_do_not_name_the_server(instance: Path) -> None:
    with serving(instance) as served, urllib.request.urlopen(f"{served.url}/healthz", timeout=30) as answer:
        assert answer.headers["Server"] is None


@pytest.mark.full
def test_a_wrong_setting_stops_the_start(instance: Path) -> None:
    assert "PORTAL_TRUSTED_PROXIES" in complaint(instance, "serve", "--port", str(free_port()), TRUSTED_PROXIES="all")


@pytest.mark.full
def test_a_mistyped_setting_is_a_warning(instance: Path) -> None:
    with serving(instance, MAIL_SERVR="mail.example.com") as served:
        (line,) = served.complaints()
    assert "PORTAL_MAIL_SERVR: is not a setting; did you mean MAIL_SERVER?" in line


@pytest.mark.full
def test_a_lost_database_is_refused(instance: Path) -> None:
    with serving(instance) as served:
        served.process.terminate()
        served.end()
    for path in instance.glob("portal.sqlite3*"):
        path.unlink()
    line = complaint(instance, "serve", "--port", str(free_port()))
    assert "portal.sqlite3 is missing or empty" in line
    assert "portal db upgrade" in line
    assert not (instance / "portal.sqlite3").exists()


@pytest.mark.full
def test_a_start_after_a_kill_finds_everything(instance: Path) -> None:
    with serving(instance) as served:
        served.signal_group(signal.SIGKILL)
        served.end()
    key = (instance / "secret.key").read_text()
    with serving(instance):
        assert (instance / "secret.key").read_text() == key
