"""Forms: shape only. What must be known of the database to say no is the domain's.

A field's label stands here, so that what is wrong with it can name it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

from flask import current_app, request
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, HiddenField, PasswordField, StringField
from wtforms.fields.core import UnboundField
from wtforms.validators import StopValidation

from portal.domain.field_rules import ASKED, PROFILE_FIELDS, FieldRule, Rules
from portal.domain.messages import N_, NN_
from portal.domain.passwords.policy import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.passwords.policy import PasswordTooLong, normalised
from portal.domain.values.country import COUNTRIES, parse_country
from portal.domain.values.customer_reference import is_customer_reference
from portal.domain.values.email import Address, parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.phone import parse_phone
from portal.domain.values.text import cleaned, is_plain
from portal.i18n import Language, languages_of, translate
from portal.storage.models import STRING_LENGTH
from portal.web.session import current_customer

CODE_LENGTH = 40
"""Characters: six digits and whatever white space was pasted with them."""
REMEMBER = N_("Keep me signed in on this device")
EMAIL = N_("Email address")
CODE = N_("Code from the email")
_TOO_LONG = NN_("%(field)s: use at most %(num)d character.", "%(field)s: use at most %(num)d characters.")
Validator = Callable[["PortalForm", Field], None]


@dataclass(frozen=True)
class Problem:
    """One line of the summary of what is wrong; `field` is empty when it is about the whole form."""

    field: str
    message: str


class PortalForm(FlaskForm):
    """A form whose token is checked for the whole app (extensions.py), and whose fields come once each."""

    class Meta:
        csrf = False

    @property
    def holds_text(self) -> bool:
        """Whether there is anything to type in it, beside boxes to tick and the button."""
        return any(isinstance(field, StringField) and not isinstance(field, HiddenField) for field in self)

    @property
    def carried(self) -> dict[str, str]:
        """What its hidden fields carry from where the form was opened."""
        return {field.name: field.data for field in self if isinstance(field, HiddenField) and field.data}

    @property
    def typed(self) -> dict[str, str]:
        """What was typed into it, but for passwords."""
        return {
            field.name: field.data
            for field in self
            if isinstance(field, StringField) and not isinstance(field, PasswordField | HiddenField) and field.data
        }

    def check(self) -> bool:
        """Validate what was sent; return whether all of it can be used. `problems` then lists what is wrong."""
        self.validate()
        for name, values in request.form.lists():
            if len(values) > 1:
                words = translate(N_("A field was sent more than once. Please send the form again."))
                if name in self:
                    self[name].errors = [words]
                else:
                    self.form_errors = [words]
        return not self.problems

    @property
    def problems(self) -> list[Problem]:
        """What was found to be wrong so far: of the whole form first, then in the order of the fields."""
        # A line of the summary leads to its field, unless that is one which nobody sees.
        return [Problem("", words) for words in self.form_errors] + [
            Problem("" if isinstance(field, HiddenField) else field.name, field.errors[0])
            for field in self
            if field.errors
        ]

    def refuse(self, field: str, message: str) -> None:
        """Put what the domain says against a field beside it."""
        if field in self:
            self[field].errors = [message]


def typed(message: str) -> Validator:
    """A password must be typed; white space is as good as any other character in it."""

    def check(form: PortalForm, field: Field) -> None:
        if not field.data:
            raise StopValidation(translate(message))

    return check


def plain_text(form: PortalForm, field: Field) -> None:
    """One line of text within the length that is stored; empty becomes None."""
    text, label = field.data or "", translate(field.label.text)
    if len(text) > STRING_LENGTH:
        raise StopValidation(translate(_TOO_LONG, field=label, num=STRING_LENGTH))
    if not is_plain(text):
        words = N_("%(field)s: it contains a character that can't be used here. Please type it again.")
        raise StopValidation(translate(words, field=label))
    field.data = text or None


def phone_number(form: PortalForm, field: Field) -> None:
    """A phone number with its country code or, where the form names a country, as it is dialled there; if any."""
    if field.data:
        named = form["country"].data or "" if "country" in form else ""
        try:
            field.data = parse_phone(field.data, named if named in COUNTRIES else None)
        except InvalidValue as error:
            raise StopValidation(translate(str(error))) from None


def country(form: PortalForm, field: Field) -> None:
    """A country by its code, if any."""
    if field.data:
        try:
            field.data = parse_country(field.data)
        except InvalidValue:
            raise StopValidation(translate(N_("Choose a country from the list."))) from None


def own_language(form: PortalForm, field: Field) -> None:
    """A language that the portal speaks, or the one the customer had before."""
    customer = current_customer()
    kept = customer.locale if customer else None
    if field.data and field.data != kept and languages_of(current_app).nearest(field.data) is None:
        raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))


def short_enough(form: PortalForm, field: Field) -> None:
    """No password is longer than what is hashed."""
    try:
        normalised(field.data)
    except PasswordTooLong:
        words = translate(_TOO_LONG, field=translate(field.label.text), num=PASSWORD_MAX_LENGTH)
        raise StopValidation(words) from None


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


class EmailForm(PortalForm):
    """Just an address."""

    email = EmailField(EMAIL)


class LoginForm(EmailForm):
    """Sign in."""

    password = SecretField(N_("Password"), [typed(N_("Enter your password.")), short_enough])
    remember = CheckBox(REMEMBER)
    next = HiddenField()


class _NameForm(PortalForm):
    """The customer's name: the first fields of registration and profile."""

    first_name = TextField(N_("First name"), [plain_text])
    last_name = TextField(N_("Last name"), [plain_text])


class _NewAccountForm(_NameForm):
    """What an account is created with."""

    email = EmailField(EMAIL)
    password = SecretField(N_("Password"), [typed(N_("Choose a password.")), short_enough])


class ProfileForm(_NameForm):
    """What customers say of themselves. `asking` makes of it what an organisation asks for."""

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
    locale = TextField(N_("Language"), [plain_text, own_language])
    newsletter = CheckBox(N_("Email me news now and then"))

    def details(self) -> dict[str, Any]:
        """What was sent; a field that was left out is not there, and a box that is not ticked is not sent."""
        sent = (self[name] for name in PROFILE_FIELDS if name in self)
        return {field.name: field.data for field in sent if field.raw_data or field.name == "newsletter"}


PROFILE_ORDER = [name for name in (*vars(_NameForm), *vars(ProfileForm)) if name in PROFILE_FIELDS]
"""The fields of the profile as they stand on the page."""


def label_of(name: str) -> str:
    """What the field of this name is called."""
    return translate(getattr(ProfileForm, name).args[0])


class RegistrationForm(_NewAccountForm, ProfileForm):
    """Create an account."""

    ref = HiddenField()

    @property
    def referral(self) -> str | None:
        """Who sent them; a bad number is ignored."""
        text = cleaned(self.ref.data or request.args.get("ref", ""))
        return text if is_customer_reference(text) else None


class _Needed:
    """Something must be typed. The flag lets templates say which fields may be left empty."""

    field_flags: ClassVar = {"required": True}

    def __call__(self, form: PortalForm, field: Field) -> None:
        if not (field.data or "").strip():
            known = _NEEDED.get(field.name)
            words = N_("%(field)s: please fill this in.")
            raise StopValidation(translate(known) if known else translate(words, field=translate(field.label.text)))


_NEEDED = {
    "first_name": N_("Enter your first name."),
    "last_name": N_("Enter your last name."),
    "phone": N_("Enter your phone number."),
    "country": N_("Choose a country from the list."),
}
_Form = TypeVar("_Form", bound=ProfileForm)


def asking(form_class: type[_Form], rules: Rules) -> type[_Form]:
    """A form that asks for what an organisation asks for."""
    required = frozenset(name for name, rule in rules.items() if rule is FieldRule.REQUIRED)
    left_out = frozenset(name for name, rule in rules.items() if rule not in ASKED)
    return cast(type[_Form], _asking(form_class, required, left_out))


@lru_cache(maxsize=200)
def _asking(form_class: Any, required: frozenset[str], left_out: frozenset[str]) -> Any:
    attributes: dict[str, Any] = dict.fromkeys(left_out)
    for name in required:
        field = getattr(form_class, name)
        label, validators = field.args
        attributes[name] = UnboundField(field.field_class, label, [_Needed(), *validators])
        attributes[name].creation_counter = field.creation_counter  # the order of fields is that of these
    return type(form_class)(form_class.__name__, (form_class,), attributes)


class ConfirmForm(PortalForm):
    """Nothing to type: a button."""


class ContinueForm(PortalForm):
    """A button, and where it leads to."""

    return_url = HiddenField()
    state = HiddenField()
    nonce = HiddenField()


class CodeField(TextField):
    """The code of a mail, as it was pasted."""

    def pre_validate(self, form: object) -> None:
        """Something must be typed, and not more than a code with its spaces."""
        if not self.data:
            raise StopValidation(translate(N_("Enter the code from the email.")))
        if len(self.data) > CODE_LENGTH:
            raise StopValidation(translate(N_("The code has six digits. Please check it.")))


class SignInByMailForm(EmailForm):
    """Have a mail sent that signs in."""

    next = HiddenField()


class LanguageField(HiddenField):
    """The tag of a language that the portal speaks, sent by its button; `language` is which it is."""

    language: Language

    def pre_validate(self, form: object) -> None:
        """There must be such a language."""
        found = languages_of(current_app).find(self.data)
        if found is None:
            raise StopValidation(translate(N_("We don't speak this language yet. Please choose one of these.")))
        self.language = found


class LanguageForm(PortalForm):
    """Choose a language, and go back to where the switch was pressed."""

    locale = LanguageField()
    next = HiddenField()


class RememberForm(PortalForm):
    """A button, and whether to be kept signed in."""

    remember = CheckBox(REMEMBER)


class ResendForm(RememberForm):
    """A button beside the field for the code, which need not be filled in for it."""

    code = TextField(CODE)


class ChosenPasswordForm(RememberForm):
    """The password that was chosen at registration, typed again in another browser."""

    password = SecretField(
        N_("Password you chose when registering"),
        [typed(N_("Enter the password you chose when registering.")), short_enough],
    )


class CodeForm(RememberForm):
    """The code of a mail."""

    code = CodeField(CODE)


class NewPasswordForm(PortalForm):
    """Set a new password."""

    password = SecretField(N_("New password"), [typed(N_("Choose a new password.")), short_enough])


class TypingForm(PortalForm):
    """A new password that is being typed, and what was typed beside it so far."""

    password = SecretField()
    email = TextField()
    first_name = TextField()
    last_name = TextField()


class ConfirmPasswordForm(PortalForm):
    """Type the current password, to confirm who sits there."""

    password = SecretField(N_("Password"), [typed(N_("Enter your password.")), short_enough])
    next = HiddenField()


class ConfirmCodeForm(PortalForm):
    """Type a code from an email, to confirm who sits there."""

    code = CodeField(CODE)
    next = HiddenField()


class AskCodeForm(PortalForm):
    """A button that has a code sent."""

    next = HiddenField()


class ChangePasswordForm(PortalForm):
    """Change the password, knowing the current one."""

    current_password = SecretField(N_("Current password"), [typed(N_("Enter your current password.")), short_enough])
    password = SecretField(N_("New password"), [typed(N_("Choose a new password.")), short_enough])
