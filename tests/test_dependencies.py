"""The packages in pyproject.toml are those that the code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BY_OTHERS = {"jinja2": "Flask renders templates/ with it"}
"""Required packages that are used without an import."""
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def canonical(name: str) -> str:
    """Return a distribution's name in the form of PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements: list[Any]) -> set[str]:
    names = [_NAME.match(requirement) for requirement in requirements if isinstance(requirement, str)]
    return {canonical(found[0]) for found in names if found}


def imported(folder: str) -> Iterator[str]:
    """Return the top-level modules that the files of a folder import, anywhere in a file."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.partition(".")[0]


def distributions_of(folder: str, *ours: str) -> set[str]:
    """Return the packages that the files of a folder import."""
    distributions = packages_distributions()
    modules = set(imported(folder)) - sys.stdlib_module_names - {"portal", "_typeshed", *ours}
    unknown = modules - distributions.keys()
    assert unknown == set()
    return {canonical(name) for module in modules for name in distributions[module]}


def test_every_package_that_is_required_is_imported_and_every_import_is_required() -> None:
    assert distributions_of("portal") | BY_OTHERS.keys() == names_of(PROJECT["project"]["dependencies"])


def test_every_package_that_the_tests_import_is_named() -> None:
    named = names_of(PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"])
    assert distributions_of("tests", "tests", "benchmarks", "demo") - named == set()
