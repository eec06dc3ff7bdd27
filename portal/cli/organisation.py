"""`portal organisation`: the organisations whose customers the portal serves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click
from flask import current_app
from flask.cli import AppGroup

from portal.app import current_context, settings_of
from portal.cli.arguments import Text
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_fields, echo_table
from portal.domain.operations.organisation_settings import (
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from portal.domain.organisations import DEFAULT, Organisation, TwoStepRule, get_organisation, list_organisations
from portal.domain.values import images
from portal.i18n import languages_of
from portal.settings import PREFIX

_Decorator = Callable[[Callable[..., object]], Callable[..., object]]


def _list_option(option: str, metavar: str, help_text: str, empty: str) -> tuple[_Decorator, _Decorator]:
    """Make an option that can be repeated, and the flag `--no-…s` that empties the list."""
    names = f"{option.removeprefix('--')}s"
    return (
        click.option(option, names.replace("-", "_"), multiple=True, metavar=metavar, help=help_text),
        click.option(f"--no-{names}", is_flag=True, help=empty),
    )


_OPTIONS = (
    click.option("--hostname", metavar="HOST", help="The host name of its pages and of the links in its emails."),
    *_list_option(
        "--frame-ancestor",
        "ORIGIN",
        "An origin that may show its pages in a frame.",
        "Let no origin show its pages in a frame.",
    ),
    *_list_option(
        "--return-origin",
        "ORIGIN",
        "An origin that customers may be sent back to.",
        "Send customers back to no origin.",
    ),
    *_list_option(
        "--handover-url",
        "URL",
        "A page on a return origin that gets hand-over codes; its query is not compared.",
        "Send hand-over codes to no page.",
    ),
    click.option(
        "--locale", metavar="LANGUAGE", help="The language for customers whose own language the portal lacks."
    ),
    click.option("--sender", metavar="ADDRESS", help="The sender of its emails; by default MAIL_DEFAULT_SENDER."),
    click.option("--accent", metavar="HEX", help="The colour of its buttons and links, like 0b5fff."),
    click.option("--logo", metavar="FILE", help=f"A PNG, JPEG, WebP or SVG of {images.MAX_BYTES // 1024} KiB at most."),
    click.option(
        "--cover",
        metavar="FILE",
        help=f"A PNG, JPEG or WebP of {images.COVER_MAX_BYTES // 1024} KiB at most, beside its forms on wide screens.",
    ),
    click.option("--no-cover", is_flag=True, help="Show no cover."),
    click.option("--privacy-url", metavar="URL", help="The address of its privacy notice."),
    click.option("--terms-url", metavar="URL", help="The address of its terms."),
    click.option("--support-email", metavar="ADDRESS", help="The email address where customers get help."),
    click.option(
        "--field",
        "field_rules",
        multiple=True,
        metavar="NAME=RULE",
        help="Whether registration and profile show a field: hidden, optional, required or read-only. Others stay.",
    ),
    click.option(
        "--require-two-step",
        type=click.Choice([str(rule) for rule in TwoStepRule]),
        help="Whether customers sign in with a second step.",
    ),
    click.option(
        "--magic-auth-creates/--no-magic-auth-creates",
        default=None,
        help="Whether the API's magic-auth creates a contact for an unknown address.",
    ),
)
_LISTS = (
    ("frame_ancestors", "--frame-ancestor"),
    ("return_origins", "--return-origin"),
    ("handover_urls", "--handover-url"),
)


def _with_settings(command: Callable[..., object]) -> Callable[..., object]:
    """Add an option for each setting of an organisation."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=AppGroup)
def organisation() -> None:
    """Add, change, list and show organisations."""


@organisation.command(cls=PlainCommand)
@click.argument("slug")
@click.option("--name", metavar="TEXT", required=True, help="Its name on pages and in emails.")
@_with_settings
def add(slug: str, **options: object) -> None:
    """Add an organisation."""
    add_organisation(current_context(), slug, _changes(options), _portal())
    click.echo(f"Organisation {slug} is added.")
    _warn_of_incomplete_settings(slug)


@organisation.command("set", cls=PlainCommand)
@click.argument("slug")
@click.option("--name", metavar="TEXT", help="Its name on pages and in emails.")
@_with_settings
def set_(slug: str, **options: object) -> None:
    """Change settings of an organisation.

    Only the given options change. A repeatable option replaces the whole list; an empty text (--sender "") empties a
    value. Running servers use the new settings within seconds.
    """
    changes = _changes(options)
    if not changes:
        raise click.UsageError("Nothing to set; `portal organisation set --help` lists the options.")
    change_organisation(current_context(), slug, changes, _portal())
    click.echo(f"Organisation {slug} is changed.")
    _warn_of_incomplete_settings(slug)


@organisation.command("list", cls=PlainCommand)
def list_() -> None:
    """List the organisations."""
    with current_context().database.read() as connection:
        found = list_organisations(connection)
    base_url = settings_of(current_app).base_url
    echo_table(
        ("SLUG", "NAME", "PAGES", "SENDER", "LANGUAGE"),
        ((one.slug, one.name, _pages(one, base_url), one.sender, one.locale) for one in found),
    )


@organisation.command(cls=PlainCommand)
@click.argument("slug", type=Text())
def show(slug: str) -> None:
    """Show the settings of an organisation."""
    with current_context().database.read() as connection:
        found = get_organisation(connection, slug)
    echo_fields(
        [
            ("Slug", found.slug),
            ("Name", found.name),
            ("Host name", found.hostname),
            ("Pages", _pages(found, settings_of(current_app).base_url)),
            ("Frame ancestors", " ".join(found.frame_ancestors)),
            ("Return origins", " ".join(found.return_origins)),
            ("Hand-over URLs", " ".join(found.handover_urls)),
            ("Language", found.locale),
            ("Sender", found.sender),
            ("Accent", found.accent),
            ("Logo", found.logo_type),
            ("Cover", found.cover_type),
            ("Privacy", found.privacy_url),
            ("Terms", found.terms_url),
            ("Support", found.support_email),
            ("Fields", " ".join(f"{name}={rule}" for name, rule in sorted(found.field_rules.items()))),
            ("Second step", found.require_two_step),
            ("magic-auth creates", "yes" if found.magic_auth_creates else "no"),
        ]
    )


def _changes(options: dict[str, Any]) -> OrganisationChanges:
    """Return the settings that the command line names."""
    for field, option in _LISTS:
        empty = options.pop(f"no_{field}")
        if empty and options[field]:
            raise click.UsageError(f"{option} and --no-{field.replace('_', '-')} contradict each other.")
        if not empty and not options[field]:
            del options[field]
    if not options["field_rules"]:
        del options["field_rules"]
    if options.pop("no_cover"):
        if options["cover"]:
            raise click.UsageError("--cover and --no-cover contradict each other.")
        options["cover"] = ""
    for picture, most in (("logo", images.MAX_BYTES), ("cover", images.COVER_MAX_BYTES)):
        if options[picture] is not None:
            options[picture] = _read_picture(options[picture], most)
    return cast(OrganisationChanges, {field: value for field, value in options.items() if value is not None})


def _read_picture(path: str, max_bytes: int) -> bytes:
    if not path:
        return b""
    with Path(path).open("rb") as file:
        return file.read(max_bytes + 1)  # one byte more shows that the file is too large


def _portal() -> Portal:
    return Portal(languages=languages_of(current_app).tags, hostname=settings_of(current_app).hostname)


def _pages(one: Organisation, base_url: str) -> str | None:
    return None if one.hostname is None and one.slug != DEFAULT else one.url(base_url)


def _warn_of_incomplete_settings(slug: str) -> None:
    """Warn of settings that are valid and have no effect."""
    with current_context().database.read() as connection:
        found = get_organisation(connection, slug)
    if found.hostname is None and slug != DEFAULT:
        _warn(f"{slug}: no host name, so no pages, and links in its emails lead to {DEFAULT}; set --hostname.")
    if found.frame_ancestors and not settings_of(current_app).is_https:
        _warn(f"{PREFIX}BASE_URL: http, so browsers keep no cookies in frames of other sites; set an https address.")


def _warn(message: str) -> None:
    click.echo(f"Warning: {message}", err=True)
