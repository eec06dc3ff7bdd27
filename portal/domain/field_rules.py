"""Decide which fields the pages of an organisation ask for, require and let customers change.

The API accepts all fields, whatever the rules.
"""

from collections.abc import Mapping
from enum import StrEnum

from portal.domain.contact_details import TEXT_FIELDS


class FieldRule(StrEnum):
    """The rule of a field on the pages."""

    HIDDEN = "hidden"
    OPTIONAL = "optional"
    REQUIRED = "required"
    READ_ONLY = "read-only"
    """Shown in the profile; only the shop's server changes it."""


PROFILE_FIELDS = frozenset({*TEXT_FIELDS, "newsletter"} - {"name"})
"""The fields of the profile. The whole name is not one: only a shop's server sets it."""
ALWAYS_ANSWERED = frozenset({"locale", "newsletter"})
"""Fields that are never empty, so that requiring them has no effect."""
ASKED = frozenset({FieldRule.OPTIONAL, FieldRule.REQUIRED})
_DEFAULTS = {"first_name": FieldRule.REQUIRED, "last_name": FieldRule.REQUIRED}
_AT_REGISTRATION = frozenset({"first_name", "last_name", "phone", "company_name", "newsletter"})
"""Fields that registration asks for even if they are optional."""
Rules = Mapping[str, FieldRule]
"""The rules by the name of the field."""


def profile_rules(chosen: Mapping[str, str]) -> Rules:
    """Return the rule of each field in the profile; `chosen` are the rules that the organisation has set."""
    return {name: FieldRule(chosen.get(name, _DEFAULTS.get(name, FieldRule.OPTIONAL))) for name in PROFILE_FIELDS}


def registration_rules(chosen: Mapping[str, str]) -> Rules:
    """Return the rule of each field at registration, which asks for no more than is needed."""

    def rule_of(name: str, rule: FieldRule) -> FieldRule:
        is_asked = name != "locale" and (
            rule is FieldRule.REQUIRED or (rule is FieldRule.OPTIONAL and name in _AT_REGISTRATION)
        )
        return rule if is_asked else FieldRule.HIDDEN  # the language is that of the page

    return {name: rule_of(name, rule) for name, rule in profile_rules(chosen).items()}
