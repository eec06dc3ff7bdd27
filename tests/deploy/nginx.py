"""Makes sure that there is an nginx to try the example with, and openssl to make its certificate.

``python -m tests.deploy.nginx`` looks for them and installs Debian's packages if it can. It always ends with status 0:
where they cannot be had, the tests that need them are skipped by name and the others still run.
"""

import os
import shutil

from tests.system_packages import apt_installs, say


def find_nginx() -> str | None:
    """Return the server's path; Debian installs it outside the PATH of other users than root."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def find_openssl() -> str | None:
    return shutil.which("openssl")


def main() -> None:
    """Print nothing if both are installed."""
    if not (find_nginx() and find_openssl()):
        apt_installs("nginx-light", "openssl")
    if not (find_nginx() and find_openssl()):
        say("no nginx or no openssl here, and none could be installed: tests/deploy is skipped by name")


if __name__ == "__main__":
    main()
