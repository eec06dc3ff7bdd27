"""Find Node.js: the machine's own, or the one that `make audit` installs."""

import shutil

from tests.audit.tools import NODE


def find_node() -> str | None:
    return shutil.which("node") or (str(NODE) if NODE.exists() else None)
