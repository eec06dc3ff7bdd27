"""What customers see and change of what is known of them."""

import unicodedata
from functools import lru_cache
from typing import Any

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
from portal.web.form_page import FormPage
from portal.web.forms import PortalForm
from portal.web.organisation import current_organisation
from portal.web.profile_forms import PROFILE_ORDER, ProfileForm, asking, label_of

pages = Blueprint("profile", __name__, url_prefix="/account/profile")
Options = list[tuple[str, str]]
"""What a menu offers: values, and what people read."""


class ProfilePage(FormPage):
    """Change the profile."""

    form_class = ProfileForm
    template = "account/profile.html"

    def opened(self, **_arguments: Any) -> dict[str, Any]:
        """What the menus offer."""
        customer = session.signed_in_customer()
        return {
            "countries": country_names(current_language().locale),
            "spoken": _spoken(customer.locale),
            "read_only": _read_only(customer),
        }

    def form_for(self, shown: dict[str, Any]) -> type[PortalForm]:
        """With the fields that the organisation asks for."""
        return asking(ProfileForm, profile_rules(current_organisation().field_rules))

    def filled(self, form: PortalForm) -> None:
        """What is known so far."""
        details = get_profile(current_context(), session.signed_in_customer())
        for field in form:
            if not field.raw_data:  # nothing was typed before the language was switched
                field.data = getattr(details, field.name)
        if "locale" in form and details.locale is None:  # the menu has no entry for it; the page speaks the likeliest
            form["locale"].data = current_language().tag

    def submitted(self, form: ProfileForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Save it."""
        customer = session.signed_in_customer()
        rules = profile_rules(current_organisation().field_rules)
        change_profile(current_context(), session.current_visitor(), customer, form.details(), rules)
        session.give_notice(N_("Your profile is saved."))
        return redirect(url_for("profile.edit"))


pages.add_url_rule("", view_func=ProfilePage.as_view("edit"))


@lru_cache
def country_names(locale: Locale) -> Options:
    """All countries by their names in a language."""
    names = {code: locale.territories.get(code, code) for code in COUNTRIES}
    return sorted(names.items(), key=lambda option: _without_accents(option[1]))


def _read_only(customer: Customer) -> list[tuple[str, str]]:
    """The fields that only the shop's server changes, by their labels, and what is known of them."""
    rules = profile_rules(current_organisation().field_rules)
    names = [name for name in PROFILE_ORDER if rules[name] is FieldRule.READ_ONLY]
    details = get_profile(current_context(), customer) if names else ContactDetails()
    return [(label_of(name), field_words(name, getattr(details, name))) for name in names]


def field_words(name: str, value: str | bool | None) -> str:
    """What is known in a field of the profile, as people read it."""
    language = current_language()
    if isinstance(value, bool):
        return translate(N_("Yes") if value else N_("No"))
    if value is None:
        return translate(N_("Not given"))
    if name == "country":
        return str(language.locale.territories.get(value, value))
    return dict(_spoken(value))[value] if name == "locale" else value


def _without_accents(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()


def _spoken(chosen: str | None) -> Options:
    """The languages of the portal; of the one that is nearest to the customer's tag, that very tag."""
    languages = languages_of(current_app)
    near = languages.nearest(chosen)
    options = [(chosen if chosen and language is near else language.tag, language.name) for language in languages]
    if chosen and near is None:  # a shop's server may have named one that the portal does not speak
        options.append((chosen, chosen))
    return options
