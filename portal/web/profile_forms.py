"""The forms of registration and profile, with the fields that the organisation asks for."""

from functools import lru_cache
from types import new_class
from typing import Any, TypeVar, cast

from flask import request
from wtforms import HiddenField
from wtforms.fields.core import UnboundField

from portal.domain.field_rules import ASKED, PROFILE_FIELDS, FieldRule, Rules
from portal.domain.messages import N_
from portal.domain.values.customer_reference import is_customer_reference
from portal.domain.values.text import cleaned
from portal.i18n import translate
from portal.web.fields import (
    CheckBox,
    EmailField,
    Required,
    TextField,
    country,
    password_field,
    phone_number,
    plain_text,
    supported_language,
)
from portal.web.forms import EMAIL
from portal.web.portal_form import PortalForm


class _NameForm(PortalForm):
    """Enter a name: the first fields of registration and profile."""

    first_name = TextField(N_("First name"), [plain_text])
    last_name = TextField(N_("Last name"), [plain_text])


class _NewAccountForm(_NameForm):
    """Enter what every account needs."""

    email = EmailField(EMAIL)
    password = password_field(N_("Password"), N_("Choose a password."))


class ProfileForm(_NameForm):
    """Change the profile; `with_field_rules` returns the form with the fields of an organisation."""

    phone = TextField(N_("Phone"), [plain_text, phone_number])
    company_name = TextField(N_("Company"), [plain_text])
    company_registration_number = TextField(N_("Company registration number"), [plain_text])
    tax_identification_number = TextField(N_("Tax identification number"), [plain_text])
    street_address = TextField(N_("Street and number"), [plain_text])
    city = TextField(N_("City"), [plain_text])
    city_part = TextField(N_("District"), [plain_text])
    state_region = TextField(N_("State or region"), [plain_text])
    postal_code = TextField(N_("Postal code"), [plain_text])
    country = TextField(N_("Country"), [plain_text, country])
    locale = TextField(N_("Language"), [plain_text, supported_language])
    newsletter = CheckBox(N_("Email me news now and then"))

    def details(self) -> dict[str, Any]:
        """Return the values by field name, without fields that were not sent; browsers send no unticked checkbox."""
        sent = (self[name] for name in PROFILE_FIELDS if name in self)
        return {field.name: field.data for field in sent if field.raw_data or field.name == "newsletter"}


PROFILE_ORDER = [name for name in (*vars(_NameForm), *vars(ProfileForm)) if name in PROFILE_FIELDS]
"""The fields of the profile, in their order on the page."""


def field_label(name: str) -> str:
    """Return the label of a profile field."""
    return translate(getattr(ProfileForm, name).args[0])


class RegistrationForm(_NewAccountForm, ProfileForm):
    """Create an account."""

    ref = HiddenField()

    @property
    def referral(self) -> str | None:
        """The reference of the customer who referred this one; an invalid one is ignored."""
        text = cleaned(self.ref.data or request.args.get("ref", ""))
        return text if is_customer_reference(text) else None


_Form = TypeVar("_Form", bound=ProfileForm)


def with_field_rules(form_class: type[_Form], rules: Rules) -> type[_Form]:
    """Return a form class without the fields that an organisation has switched off, and with those it requires."""
    required = frozenset(name for name, rule in rules.items() if rule is FieldRule.REQUIRED)
    left_out = frozenset(name for name, rule in rules.items() if rule not in ASKED)
    return cast(type[_Form], _form_class(form_class, required, left_out))


@lru_cache(maxsize=200)
def _form_class(form_class: type[ProfileForm], required: frozenset[str], left_out: frozenset[str]) -> type[ProfileForm]:
    attributes: dict[str, Any] = dict.fromkeys(left_out)
    for name in required:
        field = getattr(form_class, name)
        label, validators = field.args
        attributes[name] = UnboundField(field.field_class, label, [Required(), *validators])
        attributes[name].creation_counter = field.creation_counter  # WTForms orders the fields by it
    return new_class(form_class.__name__, (form_class,), exec_body=lambda body: body.update(attributes))
