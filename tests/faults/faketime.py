"""Makes sure that there is libfaketime, which tells a process a time that a file says, and runs processes under it.

``python -m tests.faults.faketime`` looks for it and installs Debian's package if it can. It always ends with status 0:
where it cannot be had, the tests that need it are skipped by name and the others still run.
"""
