"""Arguments and options that several commands share, with their validation."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import click

from portal.app import current_context
from portal.domain.operations.customers import CustomerReference, CustomerSelector
from portal.domain.organisations import get_organisation
from portal.domain.values.customer_reference import is_customer_reference
from portal.domain.values.durations import InvalidDuration, parse_duration
from portal.domain.values.email import Address, parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.text import cleaned, without_separators
from portal.settings.values import LONGEST
from portal.storage.models import STRING_LENGTH

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., object])


class Text(click.ParamType[str]):
    """A line of text that every database can store."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is empty, too long, or holds control characters or broken UTF-8."""
        text = cleaned(str(value))
        if not text:
            self.fail("is empty", param, ctx)
        if len(text) > STRING_LENGTH:
            self.fail(f"is longer than {STRING_LENGTH} characters", param, ctx)
        if not text.isprintable():
            self.fail("has characters that cannot be printed", param, ctx)
        return text


class Email(click.ParamType[Address]):
    """An e-mail address."""

    name = "email"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse an email address; the error is worded as on the pages."""
        try:
            return parse_email(Text().convert(value, param, ctx))
        except InvalidValue as error:
            self.fail(str(error), param, ctx)


class Customer(click.ParamType[CustomerSelector]):
    """An email address, or the customer reference number of a customer who may have no address."""

    name = "email"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> CustomerSelector:
        """Refuse any other text, with the message that the pages show for a wrong address."""
        text = Text().convert(value, param, ctx)
        number = without_separators(text)  # pages show it in groups of four
        return CustomerReference(number) if is_customer_reference(number) else Email().convert(text, param, ctx)


def with_customer(command: CommandFunction) -> CommandFunction:
    """Add the argument EMAIL, and `--organisation SLUG`."""
    return click.argument("whom", type=Customer(), metavar="EMAIL")(with_organisation(command))


class Duration(click.ParamType[timedelta]):
    """A length of time, written like 90d or "3h 20m"."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Refuse a duration that cannot be parsed, or is too long to be added to a date."""
        try:
            duration = parse_duration(str(value))
        except InvalidDuration as error:
            self.fail(f'{error}; use a form like 90d or "3h 20m"', param, ctx)
        if duration > LONGEST:
            self.fail("is longer than 100 years", param, ctx)
        return duration


def with_organisation(command: CommandFunction) -> CommandFunction:
    """Add `--organisation SLUG`."""
    return click.option(
        "--organisation",
        "slug",
        type=Text(),
        metavar="SLUG",
        default="default",
        show_default=True,
        help="The slug of the organisation.",
    )(command)


def organisation_id(slug: str) -> int:
    """Return the id of the organisation that `--organisation` names."""
    with current_context().database.read() as connection:
        return get_organisation(connection, slug).id
