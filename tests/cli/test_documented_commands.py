"""The `portal` commands in README and docs run as they are pasted."""

import re
import shlex
from pathlib import Path

import pytest
from sqlalchemy import select

from portal.domain.context import Context
from portal.storage.models import Contact
from tests.cli.conftest import Run, add_contact

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = re.compile(r"^(?: {4}|export API_KEY=\$\(|(?=\.))(?:\.venv/bin/)?portal ((?:.*\\\n)*.+)", re.MULTILINE)
JANA, ADA = "jana@example.com", "ada@example.com"


def commands_in(page: Path) -> list[list[str]]:
    """Return the arguments of the commands on a page, without comments and redirections."""
    found = []
    for text in _COMMAND.findall(page.read_text("utf-8")):
        words = shlex.split(text.replace("\\\n", ""), comments=True)
        found.append(words[: next((number for number, word in enumerate(words) if word in (">", "|")), None)])
    return found


COMMANDS = {page.stem: commands_in(page) for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}


@pytest.fixture
def sample(run: Run, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance with the organisation and customers, and a folder with the file, that the documentation names."""
    monkeypatch.setenv("PORTAL_BASE_URL", "https://login.example.com")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_text("email\nnew@example.com\n")
    assert run("organisation", "add", "sklo", "--name", "Sklo", "--hostname", "login.sklo.example").status == 0
    add_contact(context, JANA, account=True)
    add_contact(context, ADA)


@pytest.mark.parametrize("page", [page for page, commands in COMMANDS.items() if commands])
def test_the_commands_of_a_page_work(
    run: Run, context: Context, sample: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    for words in COMMANDS[page]:
        match words:
            case ["serve" | "worker", *_]:  # test_serve.py and test_worker.py run them
                outcome = run(*words, "--help")
            case ["organisation", "add", *_]:  # it is there
                outcome = run(*("tabule" if word == "sklo" else word.replace("login.", "tabule.") for word in words))
            case ["customer", "delete", *_]:  # there is no terminal to ask at
                outcome = run(*words, "--yes")
                with context.database.read() as connection:
                    assert connection.execute(select(Contact.c.email)).scalars().all() == [ADA, "new@example.com"]
                add_contact(context, JANA)
            case _:
                outcome = run(*(word.replace("/backup/", f"{tmp_path}/") for word in words))
        assert (outcome.status, outcome.err) == (1 if words == ["check"] else 0, ""), words


def test_the_documentation_has_commands() -> None:
    assert len(COMMANDS["README"]) == 6
    assert sum(map(len, COMMANDS.values())) > 20
