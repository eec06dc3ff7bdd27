"""Where a body in chunks ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.cli.chunks import Arrival, ChunkedBody


def chunked(parts: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    framed = b"".join(b"%X%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part)
    return framed + b"0\r\n" + trailers + b"\r\n"


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from([b"", b";a=b", b" ; c"]), st.data())
def test_a_body_ends_with_its_last_byte_however_it_arrives(
    parts: list[bytes], extension: bytes, data: st.DataObject
) -> None:
    whole = chunked(parts, extension, data.draw(st.sampled_from([b"", b"A: b\r\n"])))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    body = ChunkedBody()
    for cut in cuts:
        assert body.look(whole[:cut]) is Arrival.PARTIAL
    assert body.look(whole) is Arrival.COMPLETE


def test_what_follows_a_body_is_not_part_of_it() -> None:
    assert ChunkedBody().look(chunked([b"a"]) + b"GET / HTTP/1.1\r\n") is Arrival.COMPLETE


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1\na\r\n",
        b"\r\n",
        b"1\r\nab\r\n",
        b"123456789\r\n",
        b"1;" + b"a" * 300,
        b"1 " + b" " * 300,
    ],
)
def test_what_is_no_chunk_is_nonsense(body: bytes) -> None:
    assert ChunkedBody().look(body) is Arrival.NONSENSE


@given(st.binary(max_size=200))
def test_no_bytes_are_a_fault(body: bytes) -> None:
    assert ChunkedBody().look(body) in Arrival
