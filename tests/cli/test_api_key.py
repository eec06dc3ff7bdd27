import re
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import insert

from portal.domain.context import Context
from portal.domain.use_cases.check_api_key import authenticate
from portal.storage.models import Organisation
from tests.cli.conftest import Run
from tests.cli.process import PATIENCE_SECONDS, PORTAL, environment


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line)


def test_a_key_stands_alone_on_the_last_line_and_opens_the_api(run: Run, context: Context) -> None:
    outcome = run("api-key", "create", "--organisation", "default", "--kind", "PROD", "--label", "Web shop")
    *_, key = outcome.out.splitlines()
    assert re.fullmatch(r"PROD[A-Za-z0-9]{28}", key)
    assert outcome.err == ""
    assert authenticate(context, key, network="192.0.2.1").organisation_id == 1


@pytest.mark.full
def test_a_key_that_could_not_be_printed_is_not_valid(run: Run, context: Context, instance: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [PORTAL, "api-key", "create", "--kind", "PROD"],
            env=environment(instance),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    _, line = run("api-key", "list").out.splitlines()
    assert cells(line)[4] == "revoked"


def test_list_shows_everything_but_the_key(run: Run, context: Context) -> None:
    key = run("api-key", "create", "--kind", "DEV_", "--scope", "login", "--scope", "groups").out.splitlines()[-1]
    out = run("api-key", "list").out
    _, line = out.splitlines()
    assert cells(line)[:6] == ["1", "default", "DEV_", "-", "active", "login groups"]
    assert cells(line)[7:] == ["-", "-"]
    assert key[4:] not in out


def test_a_key_that_expires_says_when(run: Run, context: Context) -> None:
    run("api-key", "create", "--kind", "ROOT", "--expires", "90d")
    _, line = run("api-key", "list").out.splitlines()
    assert cells(line)[5] == "login magic-auth register reset identity"
    assert cells(line)[7].endswith("UTC")


def test_a_revoked_key_is_listed_as_such(run: Run, context: Context) -> None:
    run("api-key", "create", "--kind", "PROD")
    assert "is revoked" in run("api-key", "revoke", "1").out
    assert "was already revoked" in run("api-key", "revoke", "1").out
    _, line = run("api-key", "list").out.splitlines()
    assert cells(line)[4] == "revoked"


def test_list_shows_one_organisation_when_it_is_named(run: Run, context: Context) -> None:
    with context.database.write() as connection:
        connection.execute(insert(Organisation), {"slug": "second", "name": "S", "created_at": context.clock()})
    run("api-key", "create", "--kind", "PROD")
    run("api-key", "create", "--kind", "PROD", "--organisation", "second")
    assert len(run("api-key", "list").out.splitlines()) == 3
    _, line = run("api-key", "list", "--organisation", "second").out.splitlines()
    assert cells(line)[1] == "second"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("create",), "--kind"),
        (("create", "--kind", "TEST"), "TEST"),
        (("create", "--kind", "PROD", "--expires", "soon"), "soon"),
        (("create", "--kind", "PROD", "--expires", "90"), "has no unit"),
        (("create", "--kind", "PROD", "--expires", "0d"), "is zero"),
        (("create", "--kind", "PROD", "--expires", "5300w"), "longer than 100 years"),
        (("create", "--kind", "PROD", "--scope", "all"), "all"),
        (("create", "--kind", "PROD", "--label", ""), "is empty"),
        (("create", "--kind", "PROD", "--organisation", "nobody"), "'nobody'"),
        (("list", "--organisation", "nobody"), "'nobody'"),
        (("revoke", "7"), "There is no API key 7."),
        (("revoke", "x"), "x"),
    ],
)
def test_bad_input_is_one_line(run: Run, context: Context, arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in run("api-key", *arguments).complaint
