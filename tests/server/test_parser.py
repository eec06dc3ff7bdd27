"""The parser: a request is parsed the same in any pieces, or refused."""

from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.adjustments import Adjustments

from portal.security_headers import MAX_BODY
from portal.server.parser import MAX_HEAD, StrictParser

LIMITS = Adjustments(max_request_header_size=MAX_HEAD, max_request_body_size=MAX_BODY + 1)
HEAD = b"POST /login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunked(parts: list[bytes], extension: bytes = b"") -> bytes:
    framed = b"".join(b"%X%s\r\n%s\r\n" % (len(part), extension, part) for part in parts if part)
    return framed + b"0\r\n\r\n"


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from([b"", b";a=b", b';a="b c"']), st.data())
def test_a_chunked_body_is_read_to_its_last_byte_however_it_arrives(
    parts: list[bytes], extension: bytes, data: st.DataObject
) -> None:
    whole = HEAD + chunked(parts, extension)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    parser, at = StrictParser(LIMITS), 0
    for cut in [*cuts, len(whole)]:
        assert not parser.completed
        while at < cut and not parser.completed:
            at += parser.received(whole[at:cut])
    assert (parser.completed, parser.error, at) == (True, None, len(whole))
    assert parser.get_body_stream().read() == b"".join(parts)
    assert parser.headers["CONTENT_LENGTH"] == str(len(b"".join(parts)))


def test_what_follows_a_body_is_not_part_of_it() -> None:
    parser, whole = StrictParser(LIMITS), HEAD + chunked([b"a"])
    taken = parser.received(whole + b"GET / HTTP/1.1\r\n")
    taken += parser.received((whole + b"GET / HTTP/1.1\r\n")[taken:])
    assert (parser.completed, taken) == (True, len(whole))


@pytest.mark.parametrize(
    "head",
    [b"GET a://" + b"1" * 16_000 + b" X\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX:" + b" " * 16_000 + b"a\r\n\r\n"],
    ids=["digits", "spaces"],
)
def test_no_head_keeps_the_loop_busy(head: bytes) -> None:
    parser, before = StrictParser(LIMITS), thread_time()
    parser.received(head)
    assert thread_time() - before < 0.2
    assert parser.error is not None


@pytest.mark.parametrize("before", [b"\r\n", b"\n", b" ", b"\r\n\n"], ids=ascii)
def test_white_space_before_a_request_is_skipped_however_it_arrives(before: bytes) -> None:
    parser, whole = StrictParser(LIMITS), before + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    for byte in whole:
        parser.received(bytes([byte]))
    assert (parser.completed, parser.error, parser.path) == (True, None, "/")


def test_a_request_that_cannot_be_parsed_has_the_path_that_waitress_logs_when_its_client_disconnects() -> None:
    parser = StrictParser(LIMITS)
    parser.received(b"NONSENSE\r\n\r\n")
    assert parser.error is not None
    assert parser.path == ""


@given(
    st.binary(max_size=200), st.sampled_from([b"", HEAD, b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
)
def test_no_input_makes_the_parser_raise(sent: bytes, before: bytes) -> None:
    rest = before + sent
    while rest:
        parser = StrictParser(LIMITS)
        while rest and not parser.completed:
            rest = rest[parser.received(rest) :]
