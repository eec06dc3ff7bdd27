"""The export of a customer: all data, and nothing that gives access to an account."""

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from portal.domain.customer_data import EXPORTED, LEFT_OUT, export_customer
from portal.domain.use_cases.request_address_change import request_address_change
from portal.domain.values.email import parse_email
from portal.storage.models import METADATA, Contact
from tests.domain.full_customer import (
    BAN_REASON,
    DETAILS,
    EMAIL,
    GROUPS,
    IP,
    NEW_EMAIL,
    PASSKEY_NAME,
    RETURN_URL,
    USER_AGENT,
    FullCustomer,
    create_full_customer,
)
from tests.domain.scene import Scene


def export(scene: Scene, contact_id: int) -> dict[str, Any]:
    with scene.context.database.read() as connection:
        return export_customer(connection, contact_id)


@pytest.fixture
def customer(scene: Scene) -> FullCustomer:
    return create_full_customer(scene)


def tables_about_customers() -> set[str]:
    """Return every table whose rows refer to a contact, directly or through others."""
    found = {"contact"}
    while True:
        more = {
            table.name
            for table in METADATA.tables.values()
            if any(key.column.table.name in found for key in table.foreign_keys)
        }
        if more <= found:
            return found
        found |= more


def test_each_column_about_a_customer_is_exported_or_excluded_with_a_reason() -> None:
    exported = {f"{table.name}.{column}" for table, columns in EXPORTED.items() for column in columns}
    kept = {f"{name}.{column.key}" for name in tables_about_customers() for column in METADATA.tables[name].columns}
    assert exported | LEFT_OUT.keys() == kept
    assert not exported & LEFT_OUT.keys()
    assert all(LEFT_OUT.values())


def test_exported_fields_have_the_names_of_the_api(scene: Scene, customer: FullCustomer) -> None:
    told = export(scene, customer.contact_id)
    assert told["organisation"] == "default"
    assert (told["email"], told["cuRefNo"], told["customerRealIp"]) == (EMAIL, customer.cu_ref_no, IP)
    assert told["primaryLocale"] == DETAILS["locale"]
    for name in ("name", "firstName", "lastName", "phone", "companyName", "companyRegistrationNumber"):
        assert told[name]
    for name in ("taxIdentificationNumber", "streetAddress", "city", "cityPart", "stateRegion", "postalCode"):
        assert told[name]
    assert (told["country"], told["newsletter"], told["groups"]) == ("CZ", True, sorted(GROUPS))
    assert (told["referralId"], told["customersReferred"]) == (customer.referral, 1)
    assert told["createdAt"] == told["account"]["createdAt"] == "2026-03-01T12:00:00Z"
    assert (told["banReason"], told["failedPasswords"]) == (BAN_REASON, 0)


def test_a_name_that_was_not_given_is_made_of_first_and_last_name(scene: Scene, customer: FullCustomer) -> None:
    with scene.context.database.write() as connection:
        connection.execute(update(Contact).values(name=None, first_name="Ada", last_name="Quill"))
    assert export(scene, customer.contact_id)["name"] == "Ada Quill"


def test_all_events_are_exported(scene: Scene, customer: FullCustomer) -> None:
    told = export(scene, customer.contact_id)
    assert len(told["formerPasswords"]) == 1
    first, again = told["registrations"]
    assert (first["returnUrl"], first["groups"], first["referralId"]) == (RETURN_URL, list(GROUPS), customer.referral)
    assert again["email"] == EMAIL
    assert {link["purpose"] for link in told["links"]} == {"verify", "reset", "not_me", "address_change"}
    (change,) = told["addressChanges"]
    assert (change["oldEmail"], change["newEmail"], change["changedAt"]) == (EMAIL, NEW_EMAIL, None)
    assert [identity["endedAt"] is None for identity in told["identities"]] == [False, True]
    assert {(identity["ip"], identity["userAgent"]) for identity in told["identities"]} == {(IP, USER_AGENT)}
    assert len(told["handovers"]) == 1
    assert [device.keys() for device in told["devices"]] == [
        {"createdAt", "seenAt", "failedPasswords", "failedCodes", "trustedUntil"}
    ]
    assert told["secondStep"].keys() == {"createdAt", "failedCodes"}
    assert [code["usedAt"] for code in told["recoveryCodes"]] == [None] * 10
    assert [passkey["name"] for passkey in told["passkeys"]] == [PASSKEY_NAME]
    assert [sign_in["kind"] for sign_in in told["pendingSignIns"]] == ["sign_in"]
    assert {"sign_in", "sign_out", "register", "confirm", "reset"} <= {event["kind"] for event in told["events"]}
    assert "WRONG_PASSWORD" in {event["refusal"] for event in told["events"]}
    assert {mail["notice"] for mail in told["mails"]} == {
        *("verify", "reset", "password_changed", "new_sign_in", "account_exists"),
        *("address_requested", "two_step_on", "passkey_added"),
    }
    assert {mail["recipient"] for mail in told["mails"]} == {EMAIL}
    assert {(mail["ip"], mail["userAgent"]) for mail in told["mails"]} == {(IP, USER_AGENT)}


def test_no_secret_is_exported(scene: Scene, customer: FullCustomer) -> None:
    text = json.dumps(export(scene, customer.contact_id))
    secrets = [name for name, reason in LEFT_OUT.items() if "secret" in reason]
    assert len(secrets) == 13
    for table, column in (name.split(".") for name in secrets):
        values = scene.rows(select(METADATA.tables[table].c[column]))
        assert values
        for (value,) in values:
            forms = [value] if isinstance(value, str) else [value.hex(), base64.b64encode(value).decode(), repr(value)]
            assert not any(form in text for form in forms)
    assert customer.identity not in text
    assert customer.reset not in text


def test_nothing_of_another_customer_is_exported(scene: Scene, customer: FullCustomer) -> None:
    text = json.dumps(export(scene, customer.contact_id))
    assert "@example.com" not in text
    assert "198.51.100.5" not in text


def test_it_does_not_tell_whether_a_requested_address_belongs_to_another_customer(scene: Scene) -> None:
    customer = scene.get(scene.join())
    scene.join("taken@example.com")

    def mails() -> list[str]:
        return [mail["notice"] for mail in export(scene, customer.id)["mails"]]

    def mails_of_request(email: str) -> list[str]:
        before = len(mails())
        request_address_change(scene.context, scene.visitor, customer, parse_email(email))
        return mails()[before:]

    assert mails_of_request("free@example.com") == mails_of_request("taken@example.com") == ["address_requested"]


def test_a_customer_known_by_phone_only_is_exported(scene: Scene) -> None:
    contact_id = scene.add_guest(email_key=None, phone="+420 777123456")
    scene.change_row(update(Contact).values(email=None))
    told = export(scene, contact_id)
    assert (told["email"], told["phone"], told["account"]) == (None, "+420 777123456", None)
    assert (told["groups"], told["events"], told["referralId"], told["customersReferred"]) == ([], [], None, 0)
