"""Breached passwords in a file of Have I Been Pwned's format."""

from hashlib import sha1
from pathlib import Path

import pytest

from portal.domain.passwords.breached import BreachedPasswords, InvalidFile


def line(password: str, count: int = 1) -> str:
    return f"{sha1(password.encode(), usedforsecurity=False).hexdigest().upper()}:{count}"


def write(path: Path, lines: list[str], end: str = "\n") -> BreachedPasswords:
    path.write_bytes("".join(text + end for text in lines).encode())
    return BreachedPasswords(path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000, 5000])
def test_exactly_the_passwords_in_the_file_are_breached(tmp_path: Path, size: int, end: str) -> None:
    known = [f"violet harbour {number}" for number in range(size)]
    breached = write(tmp_path / "hashes.txt", sorted(line(word, 10 ** number_of(word)) for word in known), end)
    assert all(map(breached.includes, known))
    assert not any(breached.includes(f"{word}!") for word in known)


def number_of(word: str) -> int:
    """Counts of one digit to eleven."""
    return int(word.rpartition(" ")[2]) % 11


def test_the_last_line_may_lack_a_newline(tmp_path: Path) -> None:
    path = tmp_path / "hashes.txt"
    path.write_text("\n".join(sorted(map(line, ("one", "two", "three")))))
    assert all(map(BreachedPasswords(path).includes, ("one", "two", "three")))


def test_without_a_file_no_password_is_breached() -> None:
    assert not BreachedPasswords(None).includes("password")


def test_the_file_may_be_replaced_by_a_newer_one(tmp_path: Path) -> None:
    breached = write(tmp_path / "hashes.txt", [line("one")])
    write(tmp_path / "newer.txt", [line("two")])
    (tmp_path / "newer.txt").replace(tmp_path / "hashes.txt")
    assert breached.includes("two")
    assert not breached.includes("one")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("password\n", "SHA1:count"),
        ("x" * 500, "SHA1:count"),
        (line("one").lower() + "\n", "SHA1:count"),
        (line("one").partition(":")[0] + "\n", "SHA1:count"),
        ("\n".join(sorted(map(line, "abcdef"), reverse=True)), "is not sorted by hash"),
        ("\n".join([*sorted(map(line, map(str, range(900)))), line("0")]), "is not sorted by hash"),
    ],
    ids=["empty", "words", "no line", "lower case", "no count", "descending", "one at the end"],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "hashes.txt"
    path.write_text(text)
    with pytest.raises(InvalidFile, match=problem):
        BreachedPasswords(path)
