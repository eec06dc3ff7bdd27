"""How far a request has arrived, and what is next with it: told by its bytes alone, before anything parses it."""

import re
from enum import Enum

from portal.cli.chunks import Arrival, ChunkedBody
from portal.requests import MAX_BODY

MAX_HEAD = 32 * 1024
"""Bytes of a request line and headers; the longest the portal itself can bring about are a tenth of that."""
_HEAD_END = b"\r\n\r\n"
_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_EXPECTS = re.compile(rb" HTTP/1\.1\r\n(?:.*\r\n)?expect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)


class Step(Enum):
    """What is next with a request; a status and its words where it is refused."""

    WAIT = "wait"
    HAND_OVER = "hand over"
    """It is complete, or nothing that may follow will change its answer."""
    HAND_OVER_PART = "hand over what is there"
    """Its body is too large, and nobody waits for the rest."""
    HEAD_TOO_LARGE = (431, "Request Header Fields Too Large")
    LENGTH_REQUIRED = (411, "Length Required")
    BODY_TOO_LARGE = (413, "Content Too Large")
    NONSENSE = (400, "Bad Request")


def next_step(gathered: bytearray, chunks: ChunkedBody) -> Step:
    """What is next with a request of which so much was gathered; `chunks` follows its body while it arrives."""
    head, end, body = gathered.partition(_HEAD_END)
    if not end:
        return Step.HEAD_TOO_LARGE if len(gathered) > MAX_HEAD else Step.WAIT
    lines = bytes(head) + b"\r\n"
    codings, lengths = _CODING.findall(lines), _LENGTH.findall(lines)
    if codings:
        # One way alone to say where the body ends: with two of them, who stands in front could see another end.
        is_clear = [coding.strip().lower() for coding in codings] == [
            b"chunked"
        ] and b"content-length" not in lines.lower()
        return _step_of_chunks(chunks, body) if is_clear and b" HTTP/1.1\r\n" in lines else Step.LENGTH_REQUIRED
    if len(lengths) != 1:
        return Step.HAND_OVER  # no body, or nonsense
    if len(body) >= int(lengths[0]):
        return Step.HAND_OVER
    return Step.HAND_OVER_PART if int(lengths[0]) > MAX_BODY else Step.WAIT


def waits_for_a_word(gathered: bytearray) -> bool:
    """Whether a client has sent a head, and will send its body as soon as it is told to (Expect: 100-continue)."""
    head, end, body = gathered.partition(_HEAD_END)
    return bool(end and not body and _EXPECTS.search(bytes(head) + b"\r\n"))


def _step_of_chunks(chunks: ChunkedBody, body: bytearray) -> Step:
    arrival = chunks.look(body)
    if arrival is Arrival.NONSENSE:
        return Step.NONSENSE
    if len(body) > MAX_BODY:  # with its framing: more than any form or JSON comes near
        return Step.BODY_TOO_LARGE
    return Step.HAND_OVER if arrival is Arrival.COMPLETE else Step.WAIT
