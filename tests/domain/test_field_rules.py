"""Which fields are asked for at registration and in the profile, by the rules of an organisation."""

import pytest

from portal.domain.field_rules import ALWAYS_ANSWERED, PROFILE_FIELDS, FieldRule, profile_rules, registration_rules


def asked(rules: object) -> set[str]:
    assert isinstance(rules, dict)
    return {name for name, rule in rules.items() if rule is not FieldRule.HIDDEN}


def test_without_a_choice_only_the_names_are_needed() -> None:
    rules = profile_rules({})
    assert rules.keys() == PROFILE_FIELDS
    assert {name for name, rule in rules.items() if rule is FieldRule.REQUIRED} == {"first_name", "last_name"}
    assert asked(registration_rules({})) == {"first_name", "last_name", "phone", "company_name", "newsletter"}


@pytest.mark.parametrize(
    ("rule", "at_registration"), [("hidden", False), ("optional", False), ("required", True), ("read-only", False)]
)
def test_registration_asks_for_what_is_needed_and_no_more(rule: str, at_registration: bool) -> None:
    assert ("city" in asked(registration_rules({"city": rule}))) == at_registration
    assert profile_rules({"city": rule})["city"] == rule


def test_the_language_is_that_of_the_page() -> None:
    assert registration_rules({"locale": "optional"})["locale"] is FieldRule.HIDDEN
    assert {"locale", "newsletter"} == ALWAYS_ANSWERED
