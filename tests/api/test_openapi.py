"""The description of the API is complete, its examples are valid, and schemathesis finds no contradiction."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.domain.api_keys import Scope
from portal.domain.errors import Failure
from tests.api.fields.bodies import NEEDED
from tests.api.shop import Answer, Shop
from tests.cli.process import run_portal, serving
from tests.web.conftest import Site

PATH = "/api/v1/openapi.json"
PREFIX = "/api/v1/customer/"
SCHEMATHESIS = Path(__file__).parent / "schemathesis"
STATUSES = {"200", "400", "403", "404", "413", "415", "422", "429", "500", "503"}
PATIENCE_SECONDS = 500
Json = dict[str, Any]


@pytest.fixture
def description(site: Site) -> Json:
    answer = Shop(site, None).ask("GET", PATH)
    assert answer.status == 200
    found: Json = answer.json
    return found


def operations(description: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in description["paths"].items():
        for operation in methods.values():
            yield path.removeprefix(PREFIX), operation


def everything_in(value: Any) -> Iterator[Any]:
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from everything_in(child)


def test_it_describes_every_endpoint_there_is(description: Json) -> None:
    assert description["openapi"].startswith("3.1.")
    assert {name for name, _ in operations(description)} == {*NEEDED, "get-account-info"}
    for name, operation in operations(description):
        expected = STATUSES if name != "get-account-info" else STATUSES - {"413", "415"}
        assert operation["responses"].keys() == expected, name
        assert operation["summary"]
        assert operation["x-scope"] in set(Scope)


def test_it_names_both_ways_to_send_a_key(description: Json) -> None:
    assert description["security"] == [{"bearer": []}, {"query": []}]
    schemes = description["components"]["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["query"]["in"], schemes["query"]["name"]) == ("query", "apiKey")


def test_every_reference_in_it_leads_somewhere(description: Json) -> None:
    for value in everything_in(description):
        if isinstance(value, dict) and "$ref" in value:
            found: Any = description
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]


def test_required_fields_are_those_that_are_required(description: Json) -> None:
    for name, operation in operations(description):
        if name == "get-account-info":
            assert [parameter["required"] for parameter in operation["parameters"]] == [True]
            continue
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = description["components"]["schemas"][reference.rpartition("/")[2]]
        assert set(schema["required"]) == NEEDED[name]
        assert "additionalProperties" not in schema  # unknown fields are ignored


def test_each_failure_stands_with_its_endpoint(description: Json) -> None:
    use_cases = {
        "login": "login",
        "magic-auth": "login",
        "register-account": "register-account",
        "set-new-password": "set-new-password",
        "redeem-handover": "redeem-handover",
    }
    for name, operation in operations(description):
        told = dict(re.findall(r"^\| (E\d{3}) \| (.+) \|$", operation["description"], re.MULTILINE))
        of_use_case = [failure.value for failure in Failure if failure.value.use_case == use_cases.get(name)]
        expected = {wording.code: wording.message for wording in of_use_case}
        if name == "register-account-verify":
            expected = {"E001": "Customer register failed."}
        assert told == expected, name


def test_its_examples_contain_no_real_data(description: Json) -> None:
    text = str(description)
    assert "example.com" in text
    assert not re.search(r"@(?!example\.com)[a-z]+\.[a-z]", text)


def test_its_platform_errors_are_those_that_are_returned(site: Site, shop: Shop, description: Json) -> None:
    def documented(status: int) -> Json:
        names = {"404": "KeyRefused", "422": "ValidationFailed", "400": "BadRequest", "415": "NotJson"}
        content = description["components"]["responses"][names[str(status)]]["content"]["application/json"]
        return {code: example["value"] for code, example in content["examples"].items()}

    def told(answer: Answer) -> None:
        assert answer.json == documented(answer.status)[answer.code]

    told(Shop(site, None).post("login"))
    told(Shop(site, "nonsense").post("login"))
    told(Shop(site, "PROD" + "a" * 28).post("login"))
    told(shop.post("login", password="x"))
    told(shop.ask("POST", "login", data="a=b", headers={"Content-Type": "text/plain"}))


def test_it_contains_the_base_url(site: Site, description: Json) -> None:
    assert description["servers"] == [{"url": site.settings.base_url}]


def test_the_page_shows_all_of_it_without_script_or_anything_from_elsewhere(site: Site, description: Json) -> None:
    page = site.browser().send("/api/v1/docs")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-store"
    tree = page.tree
    assert tree.all("script") == []
    links = [element.get(name) for element in tree.all("link") + tree.all("a") for name in ("href",)]
    assert all(link.startswith(("/static/", "/api/", "#")) for link in links)
    for link in links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page.text
        else:
            assert site.browser().send(link).status == 200
    for name, operation in operations(description):
        assert PREFIX + name in page.text
        assert operation["summary"].replace("'", "&#39;") in page.text
    for schema in description["components"]["schemas"].values():
        if "email" in schema["properties"]:
            assert all(f"<code>{field}</code>" in page.text for field in schema["properties"])
    assert "Set-Cookie" not in page.headers


@pytest.mark.timeout(PATIENCE_SECONDS + 100)
@pytest.mark.full
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """Run all checks of schemathesis except one, whose configuration explains why, against the served portal."""
    limits = ("MAIL_LIMIT_ADDRESS", "MAIL_LIMIT_NETWORK", "LOGIN_LIMIT_ACCOUNT", "LOGIN_LIMIT_NETWORK")
    settings = {
        "ARGON2_TIME_COST": "1",
        "ARGON2_MEMORY_KIB": "8",
        **dict.fromkeys((*limits, "REGISTER_LIMIT_NETWORK"), "100000 per hour"),
    }
    instance = tmp_path / "instance"
    with serving(instance, **settings) as served:
        scopes = [argument for scope in Scope for argument in ("--scope", scope.value)]
        made = run_portal(instance, "api-key", "create", "--kind", "ROOT", *scopes)
        run_portal(instance, "organisation", "set", "default", "--return-origin", "https://shop.example.com")
        command: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", SCHEMATHESIS / "schemathesis.toml"),
            *("run", served.url + PATH),
            *("--checks", "all", "--exclude-checks", "ignored_auth"),
            *("--max-examples", "10", "--seed", "20260301", "--no-color"),
        ]
        outcome = subprocess.run(
            command,
            cwd=tmp_path,  # it writes files there
            env={
                **os.environ,
                "API_KEY": made.stdout.splitlines()[-1],
                "PYTHONPATH": str(SCHEMATHESIS),
                "SCHEMATHESIS_HOOKS": "hooks",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        faults = [line for line in served.complaints() if "Invalid request" not in line]
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "9 selected / 9 total" in outcome.stdout
    assert faults == []
