"""Mozilla's HTTP Observatory scans a portal behind TLS."""

import json
from pathlib import Path

from tests.audit.tls import TlsFront
from tests.audit.tools import NODE, PACKAGES, run
from tests.cli.process import serving
from tests.mail.smtp_connection import CERTIFICATE

OBSERVATORY = PACKAGES / "@mdn" / "mdn-http-observatory"


def test_the_headers_get_an_a_plus(tmp_path: Path) -> None:
    # The HSTS preload list, which the package downloads when it is installed. localhost is not on it, so an empty list
    # gives the same result.
    (OBSERVATORY / "conf" / "hsts-preload.json").write_text("{}")
    with (
        TlsFront() as front,
        serving(tmp_path / "instance", BASE_URL=f"https://{front.host}") as served,
    ):
        front.lead_to(served.port)
        printed = run(
            NODE,
            OBSERVATORY / "src" / "scan.js",
            front.host,
            NODE_EXTRA_CA_CERTS=str(CERTIFICATE),
            NO_PROXY="localhost",
        )

    report = json.loads(printed)
    failed = {name: test["result"] for name, test in report["tests"].items() if not test["pass"]}
    assert failed == {}
    # The scan must have seen TLS and the session cookie; otherwise it found another site.
    assert report["tests"]["strict-transport-security"]["result"].startswith("hsts-implemented")
    assert report["tests"]["cookies"]["result"] == "cookies-secure-with-httponly-sessions-and-samesite"
    assert report["scan"]["grade"] == "A+"
