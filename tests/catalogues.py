"""The messages of the sources, and the Makefile's targets that update the catalogues."""

import os
import shutil
import subprocess
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent


def make(target: str, folder: Path, **variables: str) -> str:
    """Run a target of the Makefile on the catalogues of another folder, and return what it says."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    given = {"TRANSLATIONS": str(folder), "POT": str(folder / "messages.pot"), **variables}
    # Pretend that the environment is up to date: a test must not install anything.
    command = ["make", "--silent", "--assume-old=.venv/.dev", target, *(f"{name}={given[name]}" for name in given)]
    # without the variables that an outer make sets for its children
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def messages() -> Catalog:
    """Every message of the sources, untranslated."""
    return read_po(BytesIO(_template()))


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "messages.pot")
        make(str(path), path.parent)
        return path.read_bytes()


def read(path: Path, locale: str) -> Catalog:
    """The .po file of a language."""
    with path.open("rb") as file:
        return read_po(file, locale=locale, abort_invalid=True)


def forms(message: Message) -> tuple[str, ...]:
    """Return the translations of a message: one text, or one for each plural form; empty if not translated."""
    string = message.string or ""
    return (string,) if isinstance(string, str) else tuple(text or "" for text in string)
