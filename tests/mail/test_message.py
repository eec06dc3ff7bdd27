"""The headers of an outgoing message, read back from its bytes."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.headerregistry import Address

import pytest

from portal.mail.message import MessageContent, OutgoingMessage

TEXTS = [
    "K účtu Customer portal byla vyžádána nová e\u2011mailová adresa",
    "Nové obchod s.r.o. Řeřicha změněno K byla účtu přihlášení s.r.o. přihlášení Nové",
    "vyžádána Nové nová s.r.o. s.r.o. K byla nová",
    "nová byla nová K Řeřicha & a nová e\u2011mailová",
    "účtu účtu adresa portal a portal účtu změněno",
    "Žluť, Ďábel & Óda",
    "ř" * 60,
]


def _headers(text: str) -> dict[str, str]:
    """Decode the headers of a message with this subject and sender, as mail programs do."""
    written = OutgoingMessage(
        Address(addr_spec="ada@example.com"),
        Address(text, addr_spec="portal@example.com"),
        MessageContent(text, text="Hello", html="<p>Hello"),
        date=datetime(2026, 3, 1, tzinfo=UTC),
        message_id="<one@localhost>",
        headers={},
    ).as_bytes()
    assert all(len(line) <= 78 for line in written.split(b"\r\n"))
    headers = message_from_bytes(written)
    unfolded = {name: headers[name].replace("\r\n", "") for name in ("Subject", "From")}
    return {name: str(make_header(decode_header(line))) for name, line in unfolded.items()}


@pytest.mark.parametrize("text", TEXTS)
def test_folding_keeps_the_spaces_of_a_subject_and_of_a_name(text: str) -> None:
    assert _headers(text) == {"Subject": text, "From": f"{text} <portal@example.com>"}
