"""Form fields and their validators."""

import re
from collections.abc import Callable
from typing import ClassVar

from flask import current_app
from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField
from wtforms.form import BaseForm
from wtforms.validators import StopValidation

from portal.domain.messages import N_, NN_
from portal.domain.passkeys import NAME_LENGTH as PASSKEY_NAME_LENGTH
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

_IN_NUMBER = re.compile(r"(?<=\d) (?=\d)")
CODE_LENGTH = 40
"""Characters: six digits, and white space that was pasted with them."""
_TOO_LONG = NN_("%(field)s can have at most %(num)d character.", "%(field)s can have at most %(num)d characters.")
_MISSING_MESSAGES = {
    "first_name": N_("Enter your first name."),
    "last_name": N_("Enter your last name."),
    "name": N_("Enter a name."),
    "phone": N_("Enter your phone number."),
    "country": N_("Choose a country from the list."),
}
Validator = Callable[[BaseForm, Field], None]


def required(message: str) -> Validator:
    """Return a validator that requires a password, which may consist of white space, or a ticked box."""

    def check(form: BaseForm, field: Field) -> None:
        if not field.data:
            raise StopValidation(translate(message))

    return check


def plain_text(form: BaseForm, field: Field) -> None:
    """Require one line of text within the length of its column; turn an empty one into None."""
    text, label = field.data or "", translate(field.label.text)
    if len(text) > STRING_LENGTH:
        raise StopValidation(translate(_TOO_LONG, field=label, num=STRING_LENGTH))
    if not is_plain(text):
        words = N_("%(field)s: it contains a character that can't be used here. Please type it again.")
        raise StopValidation(translate(words, field=label))
    field.data = text or None


def passkey_name(form: BaseForm, field: Field) -> None:
    """Require a name of a passkey that fits into a list."""
    if len(field.data) > PASSKEY_NAME_LENGTH:
        raise StopValidation(translate(_TOO_LONG, field=translate(field.label.text), num=PASSKEY_NAME_LENGTH))


def phone_number(form: BaseForm, field: Field) -> None:
    """Parse a phone number, if any: with its country code, or a national one of the country in the form."""
    if field.data:
        region = form["country"].data or "" if "country" in form else ""
        try:
            field.data = parse_phone(field.data, region if region in COUNTRIES else None)
        except InvalidValue as error:
            # No line breaks the sample number into two.
            raise StopValidation(_IN_NUMBER.sub("\N{NO-BREAK SPACE}", translate(str(error)))) from None


def country(form: BaseForm, field: Field) -> None:
    """Parse a country code, if any."""
    if field.data:
        try:
            field.data = parse_country(field.data)
        except InvalidValue:
            raise StopValidation(translate(N_("Choose a country from the list."))) from None


def supported_language(form: BaseForm, field: Field) -> None:
    """Require a language of the portal, or the one that the customer has now."""
    customer = current_customer()
    current = customer.locale if customer else None
    if field.data and field.data != current and languages_of(current_app).nearest(field.data) is None:
        raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))


def _password_length(form: BaseForm, field: Field) -> None:
    """Reject a password that is longer than the hasher accepts."""
    try:
        normalised(field.data)
    except PasswordTooLong:
        words = translate(_TOO_LONG, field=translate(field.label.text), num=PASSWORD_MAX_LENGTH)
        raise StopValidation(words) from None


class Required:
    """Require a value. The flag tells templates which fields are optional."""

    field_flags: ClassVar = {"required": True}

    def __call__(self, form: BaseForm, field: Field) -> None:
        if not (field.data or "").strip():
            own_message = _MISSING_MESSAGES.get(field.name)
            if own_message:
                raise StopValidation(translate(own_message))
            message = N_("%(field)s: please fill this in.")
            raise StopValidation(translate(message, field=translate(field.label.text)))


class TextField(StringField):
    """A text field whose value is cleaned (domain/values/text.py). Not for passwords."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        self.data = cleaned(self.data or "")


class EmailField(TextField):
    """An email address; `address` is the parsed one."""

    address: Address

    def pre_validate(self, form: object) -> None:
        if not self.data:
            raise StopValidation(translate(N_("Enter your email address.")))
        try:
            self.address = parse_email(self.data)
        except InvalidValue as error:
            raise StopValidation(translate(str(error))) from None


class CheckBox(BooleanField):
    """A checkbox that also accepts words such as "false", which programs send."""

    false_values = (False, "", "0", "false", "no", "off")


class SecretField(PasswordField):
    """A password field."""

    @property
    def text(self) -> str:
        """The password as it was typed, with its white space."""
        return self.data or ""


def password_field(label: str, missing_message: str) -> SecretField:
    """Return a required password field."""
    return SecretField(label, [required(missing_message), _password_length])


class CodeField(TextField):
    """The code from an email, with the white space that was pasted with it."""

    def pre_validate(self, form: object) -> None:
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


class UnseenField(Field):
    """A value that the page's script sends; it is neither shown again nor saved."""

    @property
    def text(self) -> str:
        """The value; empty if the form was sent without the script."""
        return self.data or ""


class LanguageField(HiddenField):
    """The tag of a language, sent by its button; `language` is the language itself."""

    language: Language

    def pre_validate(self, form: object) -> None:
        found = languages_of(current_app).find(self.data)
        if found is None:
            raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))
        self.language = found
