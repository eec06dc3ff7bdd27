"""How commands word a customer, an event and where it came from."""

from datetime import UTC, datetime

from portal.cli.tables import timestamp
from portal.domain.contact_details import ContactDetails
from portal.domain.contacts import LOCKING_FAILURES
from portal.domain.geoip import GeoIPDatabase
from portal.domain.operations.customers import CustomerRecord, PastEvent, State
from portal.domain.values.user_agents import read_user_agent

_LABELS = {"city_part": "District", "state_region": "State or region", "locale": "Language"}
_UNLOCKED = "any link emailed to the customer unlocks it"
_LOCKED = f"locked after {LOCKING_FAILURES} failures in a row"


def state_of(record: CustomerRecord, now: datetime) -> str:
    state = record.state(now)
    if record.erase_at is not None:
        return f"{state}, erased on {record.erase_at.astimezone(UTC):%Y-%m-%d}"
    return f"{state} until {timestamp(record.banned_until)}" if state is State.BANNED and record.banned_until else state


def record_fields(record: CustomerRecord, now: datetime) -> list[tuple[str, object]]:
    fields: list[tuple[str, object]] = [
        ("Email", record.email),
        ("Name", record.name),
        ("Reference number", record.cu_ref_no),
        ("State", state_of(record, now)),
        ("Known since", record.created_at),
        ("Confirmed at", record.confirmed_at),
        ("Registered at", record.registered_at),
    ]
    if record.state(now) is State.BANNED:
        fields += [("Banned at", record.banned_at), ("Ban reason", record.ban_reason)]
    if record.failed_passwords >= LOCKING_FAILURES:
        fields.append(("Password", f'{_LOCKED}, or by "This wasn\'t me" in an email; {_UNLOCKED}'))
    if record.failed_codes >= LOCKING_FAILURES:
        fields.append(("Codes from emails", f"{_LOCKED}; {_UNLOCKED}"))
    return fields


def detail_fields(details: ContactDetails) -> list[tuple[str, object]]:
    """Return the details with their labels, but for the whole name, which `record_fields` has."""
    return [
        *((_label(name), text) for name, text in details.texts().items() if name != "name"),
        ("Newsletter", "yes" if details.newsletter else "no"),
        ("Groups", ", ".join(details.groups)),
        ("Referred by", details.referral),
    ]


def _label(column: str) -> str:
    return _LABELS.get(column) or column.replace("_", " ").capitalize()


def with_location(geoip: GeoIPDatabase, ip: str | None) -> str | None:
    location = geoip.locate(ip)
    return f"{ip}, {location}" if location else ip


def with_reason(event: PastEvent) -> str:
    return f"{event.kind}: {event.reason}" if event.reason else event.kind


def browser_of(user_agent: str | None) -> str:
    return ", ".join(part for part in read_user_agent(user_agent) if part)
