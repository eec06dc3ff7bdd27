"""SpamAssassin, with the rules that need no network, does not classify any email of the portal as spam."""

import re
from pathlib import Path

import pytest

from tests.audit.spamassassin import find_spamassassin, verdicts

MOST = 0.5

# Rules about the sending host, which only a public host can pass. The address here is one for documentation (RFC 5737),
# and the receiving server records it.
OF_A_REAL_HOST = ["RCVD_ILLEGAL_IP"]


def received(raw: bytes) -> bytes:
    """Return an email as the recipient's server records it, delivered directly by the portal: the worst case."""
    date = re.search(rb"(?m)^Date: (.*?)\r?$", raw)
    assert date
    return (
        b"Return-Path: <portal@example.com>\r\n"
        b"Received: from portal.example.com (portal.example.com [203.0.113.7])\r\n"
        b"\tby mx.example.net (Postfix) with ESMTPS id 4Y7Q5n2JZ0z9sTk\r\n"
        b"\tfor <ada@example.com>; " + date[1] + b"\r\n" + raw
    )


@pytest.mark.skipif(find_spamassassin() is None, reason="no SpamAssassin here")
def test_no_email_is_classified_as_spam(letters: dict[str, bytes], tmp_path: Path, home: Path) -> None:
    files = []
    for name, raw in letters.items():
        files.append(tmp_path / f"{name}.eml")
        files[-1].write_bytes(received(raw))

    found = dict(zip(letters, verdicts(files, home, without=OF_A_REAL_HOST), strict=True))
    assert all("HTML_MESSAGE" in verdict.rules for verdict in found.values()), found  # SpamAssassin has read the files
    assert {name: verdict for name, verdict in found.items() if verdict.score > MOST} == {}
