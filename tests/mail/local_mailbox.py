"""The pages of the local mailbox, as a program on this machine gets them."""

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

MAILBOX = "/dev/mailbox"
HOST = {"Host": "127.0.0.1:5000"}


def get(client: FlaskClient, path: str = MAILBOX, *, peer: str = "127.0.0.1", **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers={**HOST, **named}, environ_base={"REMOTE_ADDR": peer})


def paths(client: FlaskClient) -> list[str]:
    """Return the paths of all emails, as the list shows them."""
    return [unescape(path) for path in re.findall(rf'href="({MAILBOX}/[^"]+)"', get(client).text)]
