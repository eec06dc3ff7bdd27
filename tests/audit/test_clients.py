"""Clients that are generated from the OpenAPI document, or written for the reference API."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.audit.tools import NODE, PACKAGES, run
from tests.cli.process import Served, run_portal, serving
from tests.mail.sink import Sink
from tests.web.post import link_in

CLIENT = Path(__file__).parent / "clients" / "openapi_fetch.mjs"
MODULE = PACKAGES / "openapi-fetch" / "dist" / "index.mjs"
EMAIL = "ada@example.com"
PASSWORD = "violet harbour kettle 41"


@dataclass
class Client:
    """openapi-fetch, in Node.js."""

    served: Served
    key: str
    sink: Sink

    def ask(self, endpoint: str, **fields: Any) -> dict[str, Any]:
        """The client's result for a response: the status, and data or an error."""
        arguments = (MODULE.as_uri(), self.served.url, self.key, endpoint, json.dumps(fields))
        found: dict[str, Any] = json.loads(run(NODE, CLIENT, *arguments))
        return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    instance = tmp_path / "instance"
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
    with Sink() as sink, serving(instance, MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **cheap) as served:
        made = run_portal(instance, "api-key", "create", "--kind", "PROD")
        yield Client(served, made.stdout.splitlines()[-1], sink)


def test_openapi_fetch_registers_signs_in_and_reads_error_codes(client: Client) -> None:
    login = {"email": EMAIL, "password": PASSWORD}
    assert client.ask("login", **login) == {
        "status": 200,
        "data": {"success": False, "errorCode": "E002", "message": "Customer e-mail does not exist."},
    }
    assert client.ask("register-account", **login, firstName="Ada", newsletter=True)["data"] == {"success": True}
    assert client.ask("login", **login)["data"]["errorCode"] == "E007"
    token = link_in(client.sink.wait_for(1)[0]).rpartition("/")[2]
    assert client.ask("register-account-verify", token=token)["data"] == {"success": True, "email": EMAIL}

    identity = client.ask("login", **login)["data"]["identityId"]
    account = client.ask("get-account-info", identityId=identity)["data"]
    assert (account["loggedIn"], account["email"], account["firstName"]) == (True, EMAIL, "Ada")
    assert client.ask("logout", identityId=identity)["data"] == {"success": True}

    refused = client.ask("login", email=7, password=PASSWORD)
    assert (refused["status"], refused["error"]["error"]["fields"].keys()) == (422, {"email"})
