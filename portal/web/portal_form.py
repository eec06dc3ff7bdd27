"""The base of all forms: their errors, and their values to fill them in again."""

from dataclasses import dataclass

from flask import request
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, PasswordField, StringField

from portal.domain.messages import N_
from portal.i18n import translate
from portal.web.fields import UnseenField


@dataclass(frozen=True)
class Problem:
    """A line of the error summary; `field` is empty if the error is about the whole form."""

    field: str
    message: str


class PortalForm(FlaskForm):
    """A form of the portal. Its CSRF token is checked for the whole app (extensions.py)."""

    class Meta:
        csrf = False

    @property
    def holds_text(self) -> bool:
        """Whether the form has a text field."""
        return any(isinstance(field, StringField) and not isinstance(field, HiddenField) for field in self)

    @property
    def hidden_values(self) -> dict[str, str]:
        """The values of the hidden fields, which come from the query of the page."""
        return {field.name: field.data for field in self if isinstance(field, HiddenField) and field.data}

    @property
    def typed_values(self) -> dict[str, str]:
        """The values of the text fields and the ticked boxes, except passwords."""
        return {
            field.name: "y" if isinstance(field, BooleanField) else field.data
            for field in self
            if isinstance(field, StringField | BooleanField)
            and not isinstance(field, PasswordField | HiddenField)
            and field.data
        }

    def check(self) -> bool:
        """Validate the form and return whether it is valid; a field sent twice is an error. `problems` lists them."""
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
        """The errors: those of the whole form first, then in the order of the fields."""
        # A line of the summary links to its field, unless that is not visible.
        return [Problem("", words) for words in self.form_errors] + [
            Problem("" if isinstance(field, HiddenField | UnseenField) else field.name, field.errors[0])
            for field in self
            if field.errors
        ]

    def refuse(self, field: str, message: str) -> None:
        """Show an error of the domain at a field."""
        if field in self:
            self[field].errors = [message]
