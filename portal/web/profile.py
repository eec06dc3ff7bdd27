"""The customer's profile."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from babel import Locale
from flask import Blueprint, current_app, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.contact_details import ContactDetails
from portal.domain.field_rules import FieldRule, profile_rules
from portal.domain.identities import Customer
from portal.domain.messages import N_
from portal.domain.use_cases.change_profile import change_profile, get_profile
from portal.domain.values.country import COUNTRIES
from portal.i18n import current_language, languages_of, translate
from portal.web import session
from portal.web.form_page import FormPage, PageState
from portal.web.organisation import current_organisation
from portal.web.profile_forms import PROFILE_ORDER, ProfileForm, field_label, with_field_rules

pages = Blueprint("profile", __name__, url_prefix="/account/profile")
Options = list[tuple[str, str]]
"""The options of a menu, as values and labels."""


@dataclass
class _ProfileState(PageState):
    countries: Options
    spoken: Options
    read_only: list[tuple[str, str]]
    """Labels and values of the fields that only the shop's server changes."""


class ProfilePage(FormPage[ProfileForm, _ProfileState]):
    """Change the profile."""

    form_class = ProfileForm
    template = "account/profile.html"

    def load(self) -> _ProfileState:
        customer = session.signed_in_customer()
        return _ProfileState(
            countries=country_names(current_language().locale),
            spoken=_language_options(customer.locale),
            read_only=_read_only(customer),
        )

    def form_for(self, state: _ProfileState) -> type[ProfileForm]:
        """Return the form with the fields that the organisation asks for."""
        return with_field_rules(ProfileForm, profile_rules(current_organisation().field_rules))

    def prefill(self, form: ProfileForm, state: _ProfileState) -> None:
        """Fill in the stored profile."""
        details = get_profile(current_context(), session.signed_in_customer())
        for field in form:
            if not field.raw_data:  # else the field was saved when the customer switched the language
                field.data = getattr(details, field.name)
        if "locale" in form and details.locale is None:  # the menu has no empty option
            form["locale"].data = current_language().tag

    def submit(self, form: ProfileForm, state: _ProfileState) -> ResponseReturnValue:
        customer = session.signed_in_customer()
        rules = profile_rules(current_organisation().field_rules)
        change_profile(current_context(), session.current_visitor(), customer, form.details(), rules)
        session.set_notice(N_("Your profile is saved."))
        return redirect(url_for("profile.edit"))


pages.add_url_rule("", view_func=ProfilePage.as_view("edit"))


@lru_cache
def country_names(locale: Locale) -> Options:
    """Return all countries, sorted by their names in a language."""
    names = {code: locale.territories.get(code, code) for code in COUNTRIES}
    return sorted(names.items(), key=lambda option: _without_accents(option[1]))


def _read_only(customer: Customer) -> list[tuple[str, str]]:
    rules = profile_rules(current_organisation().field_rules)
    names = [name for name in PROFILE_ORDER if rules[name] is FieldRule.READ_ONLY]
    details = get_profile(current_context(), customer) if names else ContactDetails()
    return [(field_label(name), field_text(name, getattr(details, name))) for name in names]


def field_text(name: str, value: str | bool | None) -> str:
    """Return the value of a field as the page shows it."""
    language = current_language()
    if isinstance(value, bool):
        return translate(N_("Yes") if value else N_("No"))
    if value is None:
        return translate(N_("Not given"))
    if name == "country":
        return str(language.locale.territories.get(value, value))
    return dict(_language_options(value))[value] if name == "locale" else value


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()


def _language_options(chosen: str | None) -> Options:
    """Return the languages of the portal; the one nearest to the customer's own tag has that tag as its value."""
    languages = languages_of(current_app)
    near = languages.nearest(chosen)
    options = [(chosen if chosen and language is near else language.tag, language.name) for language in languages]
    if chosen and near is None:  # set by a shop's server, and not a language of the portal
        options.append((chosen, chosen))
    return options
