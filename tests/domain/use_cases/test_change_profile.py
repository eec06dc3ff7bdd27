"""A customer changes the profile."""

import pytest
from sqlalchemy import select, update

from portal.domain.contact_details import ContactDetails
from portal.domain.field_rules import PROFILE_FIELDS, profile_rules
from portal.domain.operations.delete_customer import delete_customer
from portal.domain.use_cases.change_profile import change_profile, get_profile
from portal.domain.values.email import parse_email
from portal.storage.models import Contact, Event
from tests.domain.scene import ADA, Scene

EVERYTHING: dict[str, str | bool | None] = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": "+420 777123456",
    "company_name": "Engines",
    "company_registration_number": "12345678",
    "tax_identification_number": "CZ12345678",
    "street_address": "Dlouhá 1",
    "city": "Praha",
    "city_part": "Staré Město",
    "state_region": "Praha",
    "postal_code": "110 00",
    "country": "CZ",
    "locale": "cs",
    "newsletter": True,
}
RULES = profile_rules({})


def changes_of(scene: Scene) -> int:
    return len(scene.rows(select(Event.c.id).where(Event.c.kind == "profile_change")))


def test_every_field_is_stored_and_read_again(scene: Scene) -> None:
    assert EVERYTHING.keys() == PROFILE_FIELDS
    customer = scene.get(scene.join())
    change_profile(scene.context, scene.visitor, customer, EVERYTHING, RULES)
    assert get_profile(scene.context, customer) == ContactDetails(**EVERYTHING)  # type: ignore[arg-type] # of many types
    assert changes_of(scene) == 1


def test_what_is_not_sent_stays_and_what_is_emptied_goes(scene: Scene) -> None:
    customer = scene.get(scene.join())
    change_profile(scene.context, scene.visitor, customer, EVERYTHING, RULES)
    change_profile(scene.context, scene.visitor, customer, {"city": "Brno", "phone": None}, RULES)
    known = get_profile(scene.context, customer)
    assert (known.city, known.phone, known.street_address) == ("Brno", None, "Dlouhá 1")


def test_nothing_different_leaves_no_event(scene: Scene) -> None:
    customer = scene.get(scene.join())
    for _ in range(2):
        change_profile(scene.context, scene.visitor, customer, EVERYTHING, RULES)
    assert changes_of(scene) == 1


def test_a_new_name_is_not_hidden_by_the_one_a_shop_gave(scene: Scene) -> None:
    identity = scene.join()
    scene.change_row(update(Contact).values(name="Mrs A. Byron"))
    change_profile(scene.context, scene.visitor, scene.get(identity), {"phone": "+420 777123456"}, RULES)
    assert scene.get(identity).name == "Mrs A. Byron"
    change_profile(
        scene.context, scene.visitor, scene.get(identity), {"first_name": "Augusta", "last_name": "King"}, RULES
    )
    assert scene.get(identity).name == "Augusta King"


@pytest.mark.parametrize("field", ["email", "banned_at", "cu_ref_no", "name", "organisation_id"])
def test_nothing_else_can_be_changed(scene: Scene, field: str) -> None:
    customer = scene.get(scene.join())
    with pytest.raises(ValueError, match="not a field"):
        change_profile(scene.context, scene.visitor, customer, {field: "x"}, RULES)


def test_who_was_deleted_meanwhile_changes_nothing(scene: Scene) -> None:
    customer = scene.get(scene.join())
    delete_customer(scene.context, customer.organisation_id, parse_email(ADA))
    change_profile(scene.context, scene.visitor, customer, EVERYTHING, RULES)
    assert scene.count(Contact) == 0
    assert changes_of(scene) == 0


@pytest.mark.parametrize("rule", ["hidden", "read-only"])
def test_what_the_organisation_does_not_let_change_stays(scene: Scene, rule: str) -> None:
    customer = scene.get(scene.join(city="Brno"))
    rules = profile_rules({"city": rule})
    change_profile(scene.context, scene.visitor, customer, {"city": "Praha", "country": "CZ"}, rules)
    known = get_profile(scene.context, customer)
    assert (known.city, known.country) == ("Brno", "CZ")
