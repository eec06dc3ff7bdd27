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
from functools import partial
from pathlib import Path
from threading import Event, Thread

import click
from werkzeug.serving import make_server

from demo.front import fronting, make_certificate
from demo.seed import CUSTOMERS, GLASS, seed
from demo.shop import PortalApi, create_shop
from portal.mail.transport import MAILBOX_FOLDER

PORTAL, SHOP, GLASS_HOST = "portal.localhost", "shop.localhost", "glass.localhost"
"""Three sites for a browser; all names resolve to this machine."""
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
        make_certificate(folder, [PORTAL, SHOP, GLASS_HOST])
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the shop's server would write a line for each request
    with ExitStack() as stack:
        front = stack.enter_context(fronting(certificate, options.port))
        portal_url, shop_url = front.url(PORTAL), front.url(SHOP)
        settings = {
            "PORTAL_INSTANCE_PATH": str(folder / "instance"),
            "PORTAL_BASE_URL": portal_url,
            "PORTAL_TRUSTED_PROXIES": "1",
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")} | settings
        front.behind[PORTAL] = front.behind[GLASS_HOST] = stack.enter_context(_portal(environment, folder / LOG_FILE))
        seed(partial(_run, environment), shop_url, GLASS_HOST)
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
        click.echo(f"Glass:    {front.url(GLASS_HOST)}/")
        click.echo(f"Log:      {folder / LOG_FILE}")
        click.echo(_hints(shop_url))
        ended.wait()


@contextmanager
def _portal(environment: dict[str, str], log: Path) -> Iterator[int]:
    """Run `portal serve` on a free port, with its log in a file; yields the port once the portal responds."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    command = [str(_COMMAND), "serve", "--port", str(port)]
    with log.open("w") as words, subprocess.Popen(command, env=environment, stdout=words, stderr=words) as process:
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


def _hints(shop_url: str) -> str:
    """Return what to try, and the passwords for it."""
    accounts = [
        f"  {'Glass' if one.organisation == GLASS else 'Portal':8}{one.email:20}{one.password or 'no password yet'}"
        for one in CUSTOMERS
    ]
    return "\n".join(
        (
            "",
            "The certificate is self-signed: open each address once, and accept it in your browser.",
            "",
            "Customers:",
            *accounts,
            "",
            "What to try:",
            f"  - Sign in as Ada in the shop, {shop_url}/: the page around the frame hears of it.",
            "  - Ask for a sign-in link as Sean; the email is in the list of emails.",
            "  - Create an account of your own, with any address: no email leaves this computer.",
            "  - Open Glass, a second organisation in Czech: the same address is another account there.",
        )
    )


def _run(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> str:
    """Run a command of the portal and return its output."""
    run = subprocess.run(
        [_COMMAND, *arguments], env=environment, input=stdin, text=True, capture_output=True, check=False
    )
    if run.returncode:
        raise SystemExit(run.stderr)
    return run.stdout


if __name__ == "__main__":
    main()
