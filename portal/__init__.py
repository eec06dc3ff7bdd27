"""A customer portal: sign-in, registration, password reset and self-service."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from portal.settings import Settings

# The system's resolver waits half a minute or more for a silent name server, and its callers cannot set a timeout.
# glibc reads this variable before the first lookup of the process, hence at import.
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")


def create_app(settings: "Settings | None" = None) -> "Flask":
    """Create the portal as a WSGI application, without connecting to anything yet. Raises WrongSetting."""
    # Loads nearly every module. Imported above, they would be loaded before any module of the portal, such as the one
    # that pauses the garbage collector meanwhile (cli/loading.py).
    from portal.composition import compose

    return compose(settings)
