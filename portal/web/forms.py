"""The forms of the pages. They check the shape of the input only; the domain checks the rest.

The labels of fields are here and not in templates, because error messages name them.
"""

from wtforms import HiddenField

from portal.domain.messages import N_
from portal.web.fields import (
    CheckBox,
    CodeField,
    EmailField,
    LanguageField,
    Required,
    SecondStepField,
    SecretField,
    TextField,
    UnseenField,
    passkey_name,
    password_field,
    plain_text,
    required,
)
from portal.web.portal_form import PortalForm

REMEMBER = N_("Keep me signed in on this device")
EMAIL = N_("Email address")
CODE = N_("Code from the email")
PASSWORD = N_("Password")


class EmailForm(PortalForm):
    """Enter an email address."""

    email = EmailField(EMAIL)


class LoginForm(EmailForm):
    """Sign in with a password."""

    password = password_field(PASSWORD, N_("Enter your password."))
    remember = CheckBox(REMEMBER)
    next = HiddenField()


class PasskeyForm(PortalForm):
    """Send the response of an authenticator, and the challenge that it is for."""

    credential = UnseenField()
    challenge = UnseenField()


class PasskeySignInForm(PasskeyForm):
    """Sign in with a passkey. The fields for the other way to sign in stay as they are."""

    email = TextField(EMAIL)
    password = SecretField(PASSWORD)
    remember = CheckBox(REMEMBER)
    next = HiddenField()


class RenamePasskeyForm(PortalForm):
    """Give a passkey a name."""

    name = TextField(N_("Name of the passkey"), [Required(), plain_text, passkey_name])


class ConfirmForm(PortalForm):
    """Press a button."""


class ExportForm(PortalForm):
    """Choose a format: each has a button."""

    format = HiddenField()


class DeleteForm(PortalForm):
    """Delete the account; the box prevents an accident."""

    confirm = CheckBox(
        N_("I want to delete my account"), [required(N_("Tick the box if you want to delete your account."))]
    )


class ContinueForm(PortalForm):
    """Continue to the site that the customer came from."""

    return_url = HiddenField()
    state = HiddenField()
    nonce = HiddenField()


class SignInByMailForm(EmailForm):
    """Request an email to sign in with; the second button of the sign-in page sends this form, too."""

    remember = CheckBox(REMEMBER)
    next = HiddenField()


class LanguageForm(PortalForm):
    """Choose a language, and return to the page with the language switch."""

    locale = LanguageField()
    next = HiddenField()


class RememberForm(PortalForm):
    """Press a button, and choose whether to stay signed in."""

    remember = CheckBox(REMEMBER)


class ResendForm(RememberForm):
    """Request the email again; the field for the code may be empty."""

    code = TextField(CODE)


class ChosenPasswordForm(RememberForm):
    """Enter the password that was chosen at registration, in another browser."""

    password = password_field(
        N_("Password you chose when registering"), N_("Enter the password you chose when registering.")
    )


class CodeForm(RememberForm):
    """Enter the code from an email, and choose whether to stay signed in."""

    code = CodeField(CODE)


class NewPasswordForm(PortalForm):
    """Set a new password."""

    password = password_field(N_("New password"), N_("Choose a new password."))


class TypingForm(PortalForm):
    """A new password that is being typed, and the other fields that it must not be similar to."""

    password = SecretField()
    email = TextField()
    first_name = TextField()
    last_name = TextField()


class NewAddressForm(PortalForm):
    """Change the email address."""

    email = EmailField(N_("New email address"))


class ChangeCodeForm(PortalForm):
    """Enter the code that confirms the new address."""

    code = CodeField(CODE)


class ConfirmPasswordForm(PortalForm):
    """Enter the current password to reauthenticate."""

    password = password_field(PASSWORD, N_("Enter your password."))
    next = HiddenField()


class ConfirmPasskeyForm(PasskeyForm):
    """Use a passkey to reauthenticate. The field for the other way stays."""

    password = SecretField(PASSWORD)
    next = HiddenField()


class ConfirmCodeForm(PortalForm):
    """Enter a code from an email to reauthenticate."""

    code = CodeField(CODE)
    next = HiddenField()


class AskCodeForm(PortalForm):
    """Request an email with a code to reauthenticate."""

    next = HiddenField()


class ChangePasswordForm(PortalForm):
    """Change the password; the current one is asked for."""

    current_password = password_field(N_("Current password"), N_("Enter your current password."))
    password = password_field(N_("New password"), N_("Choose a new password."))


class AppCodeForm(PortalForm):
    """Type the first code of an authenticator app that is being set up."""

    code = SecondStepField(N_("Code from the app"))


class SecondStepForm(PortalForm):
    """Type a code of the second step to sign in."""

    code = SecondStepField(N_("Code"))
    trust = CheckBox(N_("Sign in without a code in this browser for 30 days"))
    recovery = HiddenField()
    """Set where a recovery code is asked for."""


class ConfirmSecondStepForm(PortalForm):
    """Enter a code of the second step to reauthenticate."""

    code = SecondStepField(N_("Code"))
    next = HiddenField()
    recovery = HiddenField()
