"""`python -m benchmarks.customers`: measure requests with 1,000, 100,000 and 1,000,000 customers in the database."""

from contextlib import ExitStack

from benchmarks import report, requests
from benchmarks.instance import Instance, temporary_instance
from benchmarks.requests import PortalRequests
from benchmarks.rows import ROWS
from benchmarks.servers import bare_server, portal_server
from portal.settings import DATABASE_FILE

_CUSTOMERS = (1_000, 100_000, 1_000_000)
_ROWS = ("login-page", "account", "sign-in", "reset-known", "reset-unknown")


def main() -> None:
    report.run_section("bench-customers", "Measure requests with up to a million customers.", _text)


def _text(rounds: int) -> str:
    with ExitStack() as stack:
        instances = [stack.enter_context(temporary_instance(count)) for count in _CUSTOMERS]
        sizes = [_mebibytes(instance) for instance in instances]
        reference = stack.enter_context(bare_server(instances[0]))
        servers = [stack.enter_context(portal_server(instance)) for instance in instances]
        sites = [PortalRequests(instance, server) for instance, server in zip(instances, servers, strict=True)]
        measured = requests.take_turns(instances[0], reference, sites, _ROWS, rounds)
    rows = [["customers", "unit", *(f"{count:,}" for count in _CUSTOMERS)]]
    for name in _ROWS:
        row = ROWS[name]
        rows.append([row.text, row.unit, *(report.number(row, found[name].value) for found in measured)])
    rows.append(["start to the first page", "CPU s", *(f"{server.start_cpu_seconds:.1f}" for server in servers)])
    rows.append(["import", "CPU s", *(f"{instance.import_seconds:.1f}" for instance in instances)])
    rows.append(["database file", "MiB", *(f"{size:,.1f}" for size in sizes)])
    return f"{report.markdown_table(*rows)}\n\n{report.conditions(rounds)}"


def _mebibytes(instance: Instance) -> float:
    return (instance.path / DATABASE_FILE).stat().st_size / 2**20


if __name__ == "__main__":
    main()
