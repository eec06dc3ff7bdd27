"""Strict request parsing against request smuggling: refuse ambiguous requests (RFC 9112, sections 5 to 7 and 11.2)."""

import re

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.utilities import BadRequest, RequestEntityTooLarge

MAX_HEAD = 16 * 1024
"""Bytes of a request line and headers; the longest that the portal's own pages cause are a fifth of that."""
MAX_HEADERS = 100
_BARE_LF = re.compile(rb"(?<!\r)\n")
_REQUEST_LINE = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.(?P<minor>[01])\r\n")
_WHITE_SPACE = re.compile(rb"\r\n[ \t]|[ \t]{100}")
"""Folded headers, and runs of white space. On these and on other request lines, waitress takes quadratic time."""


class StrictChunkedReceiver(ChunkedReceiver):
    """A chunked body without trailers, in which CR LF ends each size of a chunk; waitress also skips empty lines."""

    def received(self, s: bytes) -> int:
        """Parse the next data, line by line between chunks; return how many bytes belong to the body."""
        taken = 0
        while taken < len(s) and not self.completed and self.error is None:
            needs_size = not (self.chunk_remainder or self.validate_chunk_end or self.all_chunks_received)
            end = taken + self.chunk_remainder if self.chunk_remainder else s.find(b"\n", taken) + 1 or len(s)
            taken += super().received(s[taken:end])
            has_size = self.chunk_remainder or self.all_chunks_received
            if (needs_size and not has_size and s.endswith(b"\n", 0, taken)) or self.trailer not in (b"", b"\r"):
                self.error = BadRequest("")
        return taken


class StrictParser(HTTPRequestParser):
    """A request whose end is unambiguous."""

    path = ""
    """For waitress's log, if the request line cannot be parsed."""

    def received(self, data: bytes) -> int:
        """Parse the next data; return how many bytes belong to this request."""
        taken = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            # The application gets the size without the body, and refuses the request on a page or in JSON.
            size = max(self.content_length, self.body_bytes_received)
            self.error, self.headers = None, {**self.headers, "CONTENT_LENGTH": str(size), "CONNECTION": "close"}
        elif not self.headers_finished and _BARE_LF.search(self.header_plus.lstrip()):
            self.error, self.completed = BadRequest(""), True
        if self.completed:
            self.expect_continue = False  # waitress would wait for a body that is refused or does not exist
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the request line and headers, and keep them for an error. Raises ParsingError."""
        # If they are too long, waitress parses a line of its own.
        self.header_plus = max(self.header_plus, header_plus, key=len)
        line = _REQUEST_LINE.match(header_plus)
        headers = [header.partition(b":") for header in header_plus.split(b"\r\n")[1:]]
        names = [name.lower() for name, _, _ in headers]
        encodings = [value.strip().lower() for name, _, value in headers if name.lower() == b"transfer-encoding"]
        if (
            line is None
            or _WHITE_SPACE.search(header_plus)
            or not int(line["minor"]) <= names.count(b"host") <= 1  # RFC 9112, 3.2
            or (encodings and (encodings != [b"chunked"] or b"content-length" in names or line["minor"] == b"0"))
            or len(names) > MAX_HEADERS + 2
        ):
            raise ParsingError("invalid, ambiguous, or too many headers")
        try:
            super().parse_header(header_plus)
        except ValueError:  # a Content-Length of 5,000 digits, or an IPv6 address without its bracket
            raise ParsingError("invalid request line or header") from None
        if self.chunked and self.body_rcv is not None:
            self.body_rcv = StrictChunkedReceiver(self.body_rcv.getbuf())
