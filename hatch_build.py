"""Compile the translations when the project is packaged or installed in editable mode."""

from pathlib import Path
from typing import Any

from babel.messages.frontend import CommandLineInterface
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileTranslations(BuildHookInterface[Any]):
    """Compile the changed catalogues, and add the compiled ones to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Compile the catalogues before the files of the wheel are chosen."""
        for source in Path(self.root, "portal", "translations").glob("*/LC_MESSAGES/messages.po"):
            compiled = source.with_suffix(".mo")
            # A running portal may be reading one that is up to date.
            if compiled.exists() and compiled.stat().st_mtime >= source.stat().st_mtime:
                continue
            command = ["pybabel", "--quiet", "compile", f"--input-file={source}", f"--output-file={compiled}"]
            if CommandLineInterface().run(command):
                raise RuntimeError(f"{source} has errors")
        build_data["artifacts"].append("portal/translations/**/*.mo")
