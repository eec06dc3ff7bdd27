"""The command lines of the reference pages, run as they are printed there.

Only what must differ does: base address, key, e-mail, password, token, referralId, returnUrl, and the persons' names.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.process import PATIENCE_SECONDS, Served, run_portal, serving
from tests.mail.sink import Sink
from tests.web.post import link_in

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")

EMAIL = "ada@example.com"
PASSWORD = "violet harbour kettle 41"
IDENTITY = re.compile(r"[A-Za-z0-9]{32}")

LOGIN = """\
curl -X POST "BASE/api/v1/customer/login?apiKey=KEY" \\
-H "Content-Type: application/json" \\
-d '{
"email": "EMAIL",
"password": "PASSWORD",
"customerRealIp": "1.1.1.1"
}'"""
MAGIC_AUTH = """\
curl -X POST "BASE/api/v1/customer/magic-auth?apiKey=KEY" \\
-H "Content-Type: application/json" \\
-H "Authorization: Bearer KEY" \\
-d '{
"email": "EMAIL",
"firstName": "Ada",
"lastName": "Quillová",
"customerRealIp": "1.1.1.1",
"referralId": "REFERRAL"
}'"""
REGISTER_ACCOUNT = """\
curl -X POST "BASE/api/v1/customer/register-account?apiKey=KEY" \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer KEY" \\
  -d '{
  "email": "EMAIL",
  "name": "Ada Quillová",
  "firstName": "Ada",
  "lastName": "Quillová",
  "phone": "+420 777123456",
  "companyName": "Quill & Sons",
  "companyRegistrationNumber": "05000001",
  "taxIdentificationNumber": "CZ05000001",
  "streetAddress": "Přístavní 1505",
  "city": "Kladno",
  "cityPart": "Kročehlavy",
  "stateRegion": "Středočeský kraj",
  "postalCode": "272 01",
  "country": "CZ",
  "newsletter": false,
  "primaryLocale": "cs",
  "groups": [
    "string"
  ],
  "customerRealIp": "1.1.1.1",
  "referralId": "REFERRAL",
  "password": "PASSWORD",
  "returnUrl": "RETURN_URL"
}'"""
RESET_PASSWORD = """\
curl -X POST "BASE/api/v1/customer/reset-password?apiKey=KEY" \\
-H "Content-Type: application/json" \\
-H "Authorization: Bearer KEY" \\
-d '{
"email": "EMAIL",
"expirationTime": "3h 20m",
"customerRealIp": "1.1.1.1"
}'"""
SET_NEW_PASSWORD = """\
curl -X POST "BASE/api/v1/customer/set-new-password?apiKey=KEY" \\
-H "Content-Type: application/json" \\
-d '{
"token": "TOKEN",
"password": "PASSWORD",
"customerRealIp": "1.1.1.1"
}'"""


@dataclass
class Reader:
    """A caller who runs the examples of the reference pages."""

    served: Served
    sink: Sink
    key: str
    mails: int = 0

    def run(self, command: str, *, email: str = EMAIL, password: str = PASSWORD, token: str = "") -> dict[str, object]:
        """Run a command line in a shell; return the response."""
        for placeholder, value in {
            "BASE": self.served.url,
            "EMAIL": email,
            "PASSWORD": password,
            "TOKEN": token,
            "REFERRAL": "7hQ2mVx9LpR4sTzK",
            "RETURN_URL": "https://shop.example.com/welcome",
            "KEY": self.key,
        }.items():
            command = command.replace(placeholder, value)
        outcome = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
        )
        found: dict[str, object] = json.loads(outcome.stdout)
        return found

    def token(self) -> str:
        """Return the token in the next email."""
        self.mails += 1
        return link_in(self.sink.wait_for(self.mails)[-1]).rpartition("/")[2]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    instance = tmp_path / "instance"
    cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}
    with Sink() as sink, serving(instance, MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **cheap) as served:
        run_portal(instance, "organisation", "set", "default", "--return-origin", "https://shop.example.com")
        made = run_portal(instance, "api-key", "create", "--kind", "PROD")
        yield Reader(served, sink, made.stdout.splitlines()[-1])


VERIFY = SET_NEW_PASSWORD.replace("set-new-password", "register-account-verify")


@pytest.mark.full
def test_the_commands_of_the_reference_give_its_answers(reader: Reader) -> None:
    assert reader.run(REGISTER_ACCOUNT) == {"success": True}
    assert reader.run(VERIFY, token=reader.token()) == {
        "success": True,
        "email": EMAIL,
        "returnUrl": "https://shop.example.com/welcome",
    }

    signed_in = reader.run(LOGIN)
    assert signed_in.keys() == {"success", "identityId"}
    assert signed_in["success"] is True
    assert IDENTITY.fullmatch(str(signed_in["identityId"]))

    assert reader.run(RESET_PASSWORD) == {"success": True}
    new = "gravel mitten orchard 87"
    assert reader.run(SET_NEW_PASSWORD, token=reader.token(), password=new) == {"success": True}
    assert reader.run(LOGIN) == {"success": False, "errorCode": "E004", "message": "Wrong e-mail or password."}
    assert reader.run(LOGIN, password=new)["success"] is True

    vouched = reader.run(MAGIC_AUTH, email="bo@example.com")
    assert vouched.keys() == {"success", "identityId"}
    assert IDENTITY.fullmatch(str(vouched["identityId"]))
    assert vouched["identityId"] != signed_in["identityId"]
