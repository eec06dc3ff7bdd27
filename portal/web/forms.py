"""Forms: shape only. What must be known of the database to say no is the domain's.

A field's label stands here, so that what is wrong with it can name it.
"""

from dataclasses import dataclass

from flask import request
from flask_wtf import FlaskForm
from wtforms import HiddenField, PasswordField, StringField

from portal.domain.messages import N_
from portal.i18n import translate
from portal.web.fields import (
    CheckBox,
    CodeField,
    EmailField,
    LanguageField,
    SecondStepField,
    SecretField,
    TextField,
    short_enough,
    typed,
)

REMEMBER = N_("Keep me signed in on this device")
EMAIL = N_("Email address")
CODE = N_("Code from the email")


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


class EmailForm(PortalForm):
    """Just an address."""

    email = EmailField(EMAIL)


class LoginForm(EmailForm):
    """Sign in."""

    password = SecretField(N_("Password"), [typed(N_("Enter your password.")), short_enough])
    remember = CheckBox(REMEMBER)
    next = HiddenField()


class ConfirmForm(PortalForm):
    """Nothing to type: a button."""


class ContinueForm(PortalForm):
    """A button, and where it leads to."""

    return_url = HiddenField()
    state = HiddenField()
    nonce = HiddenField()


class SignInByMailForm(EmailForm):
    """Have a mail sent that signs in."""

    next = HiddenField()


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


class AppCodeForm(PortalForm):
    """Type the first code of an authenticator app that is being set up."""

    code = SecondStepField(N_("Code from the app"))


class SecondStepForm(PortalForm):
    """Type a code of the second step to sign in."""

    code = SecondStepField(N_("Code"))
    trust = CheckBox(N_("Don't ask for a code in this browser for 30 days"))
    recovery = HiddenField()
    """Set where a recovery code is asked for."""


class ConfirmSecondStepForm(PortalForm):
    """Type a code of the second step, to confirm who sits there."""

    code = SecondStepField(N_("Code"))
    next = HiddenField()
    recovery = HiddenField()
