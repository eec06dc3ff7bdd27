"""Start a portal, a shop on another host name that shows it in a frame, and a TLS proxy in front of both."""

import argparse
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread

import click
from werkzeug.serving import make_server

from demo.front import fronting, make_certificate
from demo.shop import PortalApi, create_shop
from portal.mail.transport import MAILBOX_FOLDER

PORTAL, SHOP = "portal.localhost", "shop.localhost"
"""Two different sites for a browser; both names resolve to this machine."""
LOG_FILE = "portal.log"
_COMMAND = Path(sys.executable).with_name("portal")
_START_SECONDS = 60


def main() -> None:
    """Run the demo until Ctrl-C or SIGTERM."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for each request of the shop
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8443, help="the port of both; 0 chooses a free one")
    parser.add_argument("--folder", type=Path, default=Path("instance/demo"), help="where the demo keeps its files")
    options = parser.parse_args()
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    folder: Path = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / "certificate.pem"
    if not certificate.exists():
        make_certificate(folder, [PORTAL, SHOP])
    with ExitStack() as stack:
        front = stack.enter_context(fronting(certificate, options.port))
        portal_url, shop_url = front.url(PORTAL), front.url(SHOP)
        settings = {
            "PORTAL_INSTANCE_PATH": str(folder / "instance"),
            "PORTAL_BASE_URL": portal_url,
            "PORTAL_TRUSTED_PROXIES": "1",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")} | settings
        front.behind[PORTAL] = stack.enter_context(_portal(environment, folder / LOG_FILE))
        origins = ("--frame-ancestor", shop_url, "--return-origin", shop_url, "--handover-url", f"{shop_url}/")
        looks = ("--name", "Kettle & Leaf", "--accent", "3f6b35")
        _run(environment, "organisation", "set", "default", *looks, *origins)
        key = _run(environment, "api-key", "create", "--kind", "PROD", "--label", "demo").splitlines()[-1]
        api = PortalApi(PORTAL, front.server_port, certificate, key)
        shop = create_shop(portal_url, api, folder / "instance" / MAILBOX_FOLDER)
        server = make_server("127.0.0.1", 0, shop, threaded=True)
        front.behind[SHOP] = server.port
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        Thread(target=server.serve_forever, daemon=True).start()
        click.echo(f"Shop:     {shop_url}/")
        click.echo(f"Emails:   {shop_url}/mail")
        click.echo(f"Portal:   {portal_url}/")
        click.echo(f"Log:      {folder / LOG_FILE}")
        click.echo("The certificate is self-signed: open shop and portal once, and accept it in your browser.")
        ended.wait()


@contextmanager
def _portal(environment: dict[str, str], log: Path) -> Iterator[int]:
    """Run `portal serve` on a free port, with its log in a file; yields the port once the portal responds."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    command = [str(_COMMAND), "serve", "--port", str(port)]
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _is_ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"The portal did not start; {log} says why.")
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def _run(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of the portal and return its output."""
    return subprocess.run([_COMMAND, *arguments], env=environment, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    main()
