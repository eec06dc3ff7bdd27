"""Strict request parsing against request smuggling: refuse ambiguous requests (RFC 9112, sections 5 to 7 and 11.2)."""

import re

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge

MAX_HEAD = 16 * 1024
"""Bytes of a request line and headers; the longest that the portal's own pages cause are a fifth of that."""
MAX_HEADERS = 100
_BARE_LF = re.compile(rb"(?<!\r)\n")
_FOLDED = re.compile(rb"\r\n[ \t]")
_CHUNKED = re.compile(rb"(?is)[^\r\n]* HTTP/1\.1\r\n(?:.*\r\n)?transfer-encoding:[ \t]*chunked[ \t]*\r\n")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_CHUNK_END = re.compile(rb"\r\n")
_TRAILER = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*)?\r\n")


class StrictChunkedReceiver(ChunkedReceiver):
    """A chunked body without white space after a size, with CR LF after each line, and with valid trailers."""

    _line = b""

    def received(self, s: bytes) -> int:
        """Parse the next data, line by line between chunks; return how many bytes belong to the body."""
        taken = 0
        while taken < len(s) and not self.completed and self.error is None:
            if self.chunk_remainder:
                taken += super().received(s[taken : taken + self.chunk_remainder])
                continue
            end = s.find(b"\n", taken) + 1 or len(s)
            self._line += s[taken:end]
            taken = end
            if self._line.endswith(b"\n"):
                after_size = _TRAILER if self.all_chunks_received else _CHUNK_SIZE
                if not (_CHUNK_END if self.validate_chunk_end else after_size).fullmatch(self._line):
                    self.error = BadRequest("")
                super().received(self._line)
                self._line = b""
        return taken


class StrictParser(HTTPRequestParser):
    """A request whose end is unambiguous."""

    version = "1.1"
    """The version in the response to a request that cannot be parsed."""

    def received(self, data: bytes) -> int:
        """Parse the next data; return how many bytes belong to this request."""
        taken = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            # The application gets the size without the body, and refuses the request on a page or in JSON.
            size = max(self.content_length, self.body_bytes_received)
            self.error, self.headers = None, {**self.headers, "CONTENT_LENGTH": str(size), "CONNECTION": "close"}
        elif not self.headers_finished and _BARE_LF.search(self.header_plus):
            self.error, self.completed = BadRequest(""), True
        if self.completed:
            self.expect_continue = False  # waitress would wait for a body that is refused or does not exist
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and headers, and keep them for an error. Raises ParsingError."""
        # If they are too long, waitress parses a line of its own.
        self.header_plus = max(self.header_plus, header_plus, key=len)
        first_line, *lines = header_plus.split(b"\r\n")
        names = [line.partition(b":")[0].lower() for line in lines]
        is_ambiguous = any(names.count(name) > 1 for name in (b"content-length", b"host", b"transfer-encoding"))
        if b"transfer-encoding" in names:
            is_ambiguous |= b"content-length" in names or not _CHUNKED.match(header_plus)
        if is_ambiguous or len(names) > MAX_HEADERS + 2 or _FOLDED.search(header_plus):
            raise ParsingError("ambiguous or too many headers")
        needs_host = not first_line.endswith(b" HTTP/1.0")  # RFC 9112, 3.2
        if not first_line.endswith((b" HTTP/1.0", b" HTTP/1.1")) or (needs_host and b"host" not in names):
            raise ParsingError("unknown HTTP version, or no Host")
        try:
            super().parse_header(header_plus)
        except ValueError:  # a Content-Length of 5,000 digits, or an IPv6 address without its bracket
            raise ParsingError("invalid request line or header") from None
        if self.chunked and self.body_rcv is not None:
            self.body_rcv = StrictChunkedReceiver(self.body_rcv.getbuf())
