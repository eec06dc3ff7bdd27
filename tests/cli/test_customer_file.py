"""Reading files of customers: their format, their rows, and files that cannot be read."""

import codecs
import json
from io import BytesIO

import pytest

from portal.cli.customer_file import MAX_LINE, UnreadableFile, read_customers
from portal.domain.operations.import_customers import BadRow, Row


def read(content: str | bytes) -> list[Row | BadRow]:
    raw = content if isinstance(content, bytes) else content.encode()
    return list(read_customers(BytesIO(raw), lambda _: None))


def rows(content: str | bytes) -> list[tuple[int, object]]:
    return [(row.line, row.values if isinstance(row, Row) else row.problem) for row in read(content)]


def test_a_cell_is_what_json_would_say() -> None:
    content = "email,newsletter,groups\nada,yes,a;b\nben,0,\ncyd, FALSE ,a\ndot,maybe,;\n"
    assert [row.values for row in read(content) if isinstance(row, Row)] == [
        {"email": "ada", "newsletter": True, "groups": ["a", "b"]},
        {"email": "ben", "newsletter": False, "groups": [""]},
        {"email": "cyd", "newsletter": False, "groups": ["a"]},
        {"email": "dot", "newsletter": "maybe", "groups": ["", ""]},
    ]


def test_what_begins_with_a_brace_is_json_lines() -> None:
    assert rows(' \n\n  {"email": "ada", "x": [1]}\n\n{}\n') == [(3, {"email": "ada", "x": [1]}), (5, {})]


def test_a_byte_order_mark_and_carriage_returns_are_no_data() -> None:
    assert rows(codecs.BOM_UTF8 + b"email,city\r\nada,Praha\r\n") == [(2, {"email": "ada", "city": "Praha"})]
    assert rows(codecs.BOM_UTF8 + b'{"email": "ada"}\r\n') == [(1, {"email": "ada"})]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = '\r\ncity,email\r\n\r\n"two\r\nlines",ada\r\nPraha,ben\r\n\r\n"Praha ""2""",cyd'
    assert rows(content) == [
        (4, {"city": "two\r\nlines", "email": "ada"}),
        (6, {"city": "Praha", "email": "ben"}),
        (8, {"city": 'Praha "2"', "email": "cyd"}),
    ]


def test_a_row_of_another_length_than_the_header_is_bad() -> None:
    assert rows("email,city\nada\nben,Praha\ncyd,Praha,\n") == [
        (2, "The row has 1 cells and the header 2."),
        (3, {"email": "ben", "city": "Praha"}),
        (4, "The row has 3 cells and the header 2."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"email": "ada"',
        '{"email": "ada"} {}',
        '["ada"]',
        '{"email": "ada", "email": "ben"}',
        '{"email": "ada", "city": {"a": 1, "a": 2}}',
        '{"email": "ada", "city": ' + "[" * 100_000,
        '{"city": ' + "1" * 10_000 + "}",
        "ada",
    ],
)
def test_a_line_that_is_not_one_json_object_is_bad(line: str) -> None:
    assert rows('{"email": "ada"}\n' + line + "\n{}\n") == [
        (1, {"email": "ada"}),
        (2, "The line is not one JSON object with each name once."),
        (3, {}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "email,city\nada@example.com,Praha\n,\n,\n",
        "email,city\r\n,\r\nada@example.com,Praha\r\n , \r\n",
        "email,city,,\nada@example.com,Praha,,\n,,,\n",
        ",,\nemail,city,\nada@example.com,Praha,\n\u00a0,\ufeff,",
    ],
)
def test_the_empty_rows_and_columns_of_a_spreadsheet_are_no_rows(text: str) -> None:
    assert [values for _, values in rows(text)] == [{"email": "ada@example.com", "city": "Praha"}]


def test_an_empty_cell_at_the_end_of_a_row_is_a_cell() -> None:
    assert rows("email,city\nada@example.com,\n") == [(2, {"email": "ada@example.com", "city": ""})]


def test_a_file_is_never_held_as_a_whole() -> None:
    """Rows are yielded as they are read; the rest of the file is not read yet."""
    content = BytesIO(b"email\n" + b"ada@example.com\n" * 1000)
    told: list[int] = []
    reading = read_customers(content, told.append)
    next(reading)
    assert sum(told) == content.tell() == len(b"email\nada@example.com\n")


UNREADABLE = {
    b"": "The file is empty.",
    b"\n \n\r\n": "The file is empty.",
    codecs.BOM_UTF8: "The file is empty.",
    b"email,shoeSize\n": "The header has an unknown column 'shoeSize'; the columns are: email, name,",
    b"email,first_name\n": "The header has an unknown column 'first_name'",
    b"ada@example.com,Ada\nben@example.com,Ben\n": "The header has an unknown name of column 1",
    b"email,$2b$12$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp\n": "The header has an unknown name of column 2",
    b"email,5f4dcc3b5aa765d61d8327deb882cf99\n": "The header has an unknown name of column 2",
    b"email;firstName\nada@example.com;Ada\n": "The header has an unknown name of column 1",
    b"email,email\n": "The header has the column 'email' twice.",
    b"city,country\n": "The header has neither a column 'email' nor a column 'phone'.",
    b'email,city\nada@example.com,"Praha\nben@example.com,Brno\n': "Line 3: The quotes of this row",
    b'email,city\nada@example.com,"Pra"ha\n': "Line 2: The quotes of this row",
    b"email,city\nada@example.com,Praha\rBrno\n": "Line 2: The quotes of this row",
    b"email,city\nada@example.com," + b"x" * MAX_LINE: f"Line 2 is longer than {MAX_LINE} bytes.",
    b'email,city\nada@example.com,"' + b"x\n" * MAX_LINE: "Line 131074: The quotes of this row",
    b'{"email": "' + b"x" * MAX_LINE: f"Line 1 is longer than {MAX_LINE} bytes.",
    "email\nada@example.com\n".encode("utf-16"): "The file is UTF-16; save it as CSV in UTF-8.",
    b"PK\x03\x04xlsx": "The file is a spreadsheet or an archive; save it as CSV in UTF-8.",
}


@pytest.mark.parametrize("content", UNREADABLE)
def test_an_unreadable_file_is_reported_in_one_line_without_quoting_it(content: bytes) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        read(content)
    told = str(refusal.value)
    assert told.startswith(UNREADABLE[content])
    assert "\n" not in told
    for value in ("ada@", "CCCC", "5f4d", "Praha"):
        assert value not in told


def test_a_semicolon_between_columns_is_met_with_advice() -> None:
    with pytest.raises(UnreadableFile, match=r"Separate columns by commas\.$"):
        read("email;city\n")


def test_a_row_is_not_seen_in_a_repr() -> None:
    assert "ada" not in repr(read(json.dumps({"email": "ada"})))
