"""What customers see and change of what is known of them."""

import unicodedata
from functools import lru_cache
from typing import Any

from babel import Locale
from flask import Blueprint, current_app, redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.messages import N_
from portal.domain.use_cases.change_profile import PROFILE_FIELDS, change_profile, get_profile
from portal.domain.values.country import COUNTRIES
from portal.i18n import current_language, languages_of
from portal.web import session
from portal.web.form_page import FormPage
from portal.web.forms import PortalForm, ProfileForm

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
        return {"countries": _countries(current_language().locale), "spoken": _spoken(customer.locale)}

    def filled(self, form: PortalForm) -> None:
        """What is known so far."""
        details = get_profile(current_context(), session.signed_in_customer())
        for name in PROFILE_FIELDS:
            form[name].data = getattr(details, name)
        if details.locale is None:  # the menu has no entry for it; the page speaks the likeliest
            form["locale"].data = current_language().tag

    def submitted(self, form: ProfileForm, shown: dict[str, Any]) -> ResponseReturnValue:
        """Save it."""
        customer = session.signed_in_customer()
        change_profile(current_context(), session.current_visitor(), customer, form.changes())
        session.give_notice(N_("Your profile is saved."))
        return redirect(url_for("profile.edit"))


pages.add_url_rule("", view_func=ProfilePage.as_view("edit"))


@lru_cache
def _countries(locale: Locale) -> Options:
    """All countries by their names in a language."""
    names = {code: locale.territories.get(code, code) for code in COUNTRIES}
    return sorted(names.items(), key=lambda option: _without_accents(option[1]))


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
