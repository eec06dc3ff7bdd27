"""Which fields an organisation asks its customers for, requires, and lets them change.

It is about what pages show: the API knows all fields whatever is set here.
"""

from collections.abc import Mapping
from enum import StrEnum

from portal.domain.contact_details import TEXT_FIELDS


class FieldRule(StrEnum):
    """What a page does with a field."""

    HIDDEN = "hidden"
    OPTIONAL = "optional"
    REQUIRED = "required"
    READ_ONLY = "read-only"
    """Shown in the profile, and changed by the shop's server alone."""


PROFILE_FIELDS = frozenset({*TEXT_FIELDS, "newsletter"} - {"name"})
"""What customers see of themselves. The whole name is what a shop's server calls them."""
ALWAYS_ANSWERED = frozenset({"locale", "newsletter"})
"""Fields that cannot be left empty, so that to require them means nothing."""
ASKED = frozenset({FieldRule.OPTIONAL, FieldRule.REQUIRED})
_DEFAULTS = {"first_name": FieldRule.REQUIRED, "last_name": FieldRule.REQUIRED}
_AT_REGISTRATION = frozenset({"first_name", "last_name", "phone", "company_name", "newsletter"})
"""Asked for when an account is created even where they are optional."""
Rules = Mapping[str, FieldRule]
"""By the names of the fields."""


def profile_rules(chosen: Mapping[str, str]) -> Rules:
    """The rule of each field in the profile; `chosen` are those that the organisation has set."""
    return {name: FieldRule(chosen.get(name, _DEFAULTS.get(name, FieldRule.OPTIONAL))) for name in PROFILE_FIELDS}


def registration_rules(chosen: Mapping[str, str]) -> Rules:
    """The rule of each field at registration, which asks for no more than is needed."""

    def rule_of(name: str, rule: FieldRule) -> FieldRule:
        is_asked = name != "locale" and (
            rule is FieldRule.REQUIRED or (rule is FieldRule.OPTIONAL and name in _AT_REGISTRATION)
        )
        return rule if is_asked else FieldRule.HIDDEN  # the language is that of the page

    return {name: rule_of(name, rule) for name, rule in profile_rules(chosen).items()}
