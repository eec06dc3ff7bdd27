"""The fields of forms, and the validators that check what is typed into them."""

from collections.abc import Callable
from typing import ClassVar

from flask import current_app
from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField
from wtforms.form import BaseForm
from wtforms.validators import StopValidation

from portal.domain.messages import N_, NN_
from portal.domain.passwords.policy import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.passwords.policy import PasswordTooLong, normalised
from portal.domain.values.country import COUNTRIES, parse_country
from portal.domain.values.email import Address, parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.phone import parse_phone
from portal.domain.values.text import cleaned, is_plain
from portal.i18n import Language, languages_of, translate
from portal.storage.models import STRING_LENGTH
from portal.web.session import current_customer

CODE_LENGTH = 40
"""Characters: six digits and whatever white space was pasted with them."""
_TOO_LONG = NN_("%(field)s: use at most %(num)d character.", "%(field)s: use at most %(num)d characters.")
_MISSING_WORDS = {
    "first_name": N_("Enter your first name."),
    "last_name": N_("Enter your last name."),
    "phone": N_("Enter your phone number."),
    "country": N_("Choose a country from the list."),
}
Validator = Callable[[BaseForm, Field], None]


def typed(message: str) -> Validator:
    """A password must be typed; white space is as good as any other character in it."""

    def check(form: BaseForm, field: Field) -> None:
        if not field.data:
            raise StopValidation(translate(message))

    return check


def plain_text(form: BaseForm, field: Field) -> None:
    """One line of text within the length that is stored; empty becomes None."""
    text, label = field.data or "", translate(field.label.text)
    if len(text) > STRING_LENGTH:
        raise StopValidation(translate(_TOO_LONG, field=label, num=STRING_LENGTH))
    if not is_plain(text):
        words = N_("%(field)s: it contains a character that can't be used here. Please type it again.")
        raise StopValidation(translate(words, field=label))
    field.data = text or None


def phone_number(form: BaseForm, field: Field) -> None:
    """A phone number with its country code or, where the form names a country, as it is dialled there; if any."""
    if field.data:
        named = form["country"].data or "" if "country" in form else ""
        try:
            field.data = parse_phone(field.data, named if named in COUNTRIES else None)
        except InvalidValue as error:
            raise StopValidation(translate(str(error))) from None


def country(form: BaseForm, field: Field) -> None:
    """A country by its code, if any."""
    if field.data:
        try:
            field.data = parse_country(field.data)
        except InvalidValue:
            raise StopValidation(translate(N_("Choose a country from the list."))) from None


def own_language(form: BaseForm, field: Field) -> None:
    """A language that the portal speaks, or the one the customer had before."""
    customer = current_customer()
    kept = customer.locale if customer else None
    if field.data and field.data != kept and languages_of(current_app).nearest(field.data) is None:
        raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))


def short_enough(form: BaseForm, field: Field) -> None:
    """No password is longer than what is hashed."""
    try:
        normalised(field.data)
    except PasswordTooLong:
        words = translate(_TOO_LONG, field=translate(field.label.text), num=PASSWORD_MAX_LENGTH)
        raise StopValidation(words) from None


class Required:
    """Something must be typed. The flag lets templates say which fields may be left empty."""

    field_flags: ClassVar = {"required": True}

    def __call__(self, form: BaseForm, field: Field) -> None:
        if not (field.data or "").strip():
            known = _MISSING_WORDS.get(field.name)
            words = N_("%(field)s: please fill this in.")
            raise StopValidation(translate(known) if known else translate(words, field=translate(field.label.text)))


class TextField(StringField):
    """A text, as it was meant: see domain/texts.py. Not for passwords."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Take what was sent."""
        super().process_formdata(valuelist)
        self.data = cleaned(self.data or "")


class EmailField(TextField):
    """An e-mail address; `address` is what was read."""

    address: Address

    def pre_validate(self, form: object) -> None:
        """Read the address; says what to do when it is none."""
        if not self.data:
            raise StopValidation(translate(N_("Enter your email address.")))
        try:
            self.address = parse_email(self.data)
        except InvalidValue as error:
            raise StopValidation(translate(str(error))) from None


class CheckBox(BooleanField):
    """Ticked or not, also by programs that say so in words."""

    false_values = (False, "", "0", "false", "no", "off")


class SecretField(PasswordField):
    """A password, as it was typed."""

    @property
    def text(self) -> str:
        """Every character of it, white space too."""
        return self.data or ""


class CodeField(TextField):
    """The code of a mail, as it was pasted."""

    def pre_validate(self, form: object) -> None:
        """Something must be typed, and not more than a code with its spaces."""
        if not self.data:
            raise StopValidation(translate(N_("Enter the code from the email.")))
        if len(self.data) > CODE_LENGTH:
            raise StopValidation(translate(N_("The code has six digits. Please check it.")))


class SecondStepField(TextField):
    """A code of an authenticator app, or a recovery code, as it was typed."""

    def pre_validate(self, form: object) -> None:
        """Something must be typed, and not more than a recovery code with its hyphens and some spaces."""
        if not self.data:
            raise StopValidation(translate(N_("Enter a code.")))
        if len(self.data) > CODE_LENGTH:
            raise StopValidation(translate(N_("This is longer than a code. Please check it.")))


class LanguageField(HiddenField):
    """The tag of a language that the portal speaks, sent by its button; `language` is which it is."""

    language: Language

    def pre_validate(self, form: object) -> None:
        """There must be such a language."""
        found = languages_of(current_app).find(self.data)
        if found is None:
            raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))
        self.language = found
