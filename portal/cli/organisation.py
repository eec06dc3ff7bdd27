"""`portal organisation`: whose customers the portal serves."""

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
from portal.domain.organisations import DEFAULT, Organisation, get_organisation, list_organisations
from portal.domain.values import images
from portal.i18n import languages_of
from portal.settings import PREFIX

_OPTIONS = (
    click.option("--hostname", metavar="H", help="The host its pages are at, and where links in its mails lead."),
    click.option(
        "--frame-ancestor", "frame_ancestors", multiple=True, metavar="ORIGIN", help="May show its pages in a frame."
    ),
    click.option("--no-frame-ancestors", is_flag=True, help="Nobody may."),
    click.option(
        "--return-origin",
        "return_origins",
        multiple=True,
        metavar="ORIGIN",
        help="Where customers may be sent back to.",
    ),
    click.option("--no-return-origins", is_flag=True, help="Nowhere."),
    click.option(
        "--handover-url",
        "handover_urls",
        multiple=True,
        metavar="URL",
        help="Which page of a return origin gets a hand-over code; its query does not matter.",
    ),
    click.option("--no-handover-urls", is_flag=True, help="None."),
    click.option("--locale", metavar="L", help="The language of those who ask for none that the portal speaks."),
    click.option("--sender", metavar="ADDRESS", help="Whom its mails come from; else MAIL_DEFAULT_SENDER."),
    click.option("--accent", metavar="HEX", help="The colour of its buttons and links, like 0b5fff."),
    click.option("--logo", metavar="FILE", help=f"A PNG, JPEG, WebP or SVG of {images.MAX_BYTES // 1024} KiB at most."),
    click.option("--privacy-url", metavar="U", help="Its privacy notice."),
    click.option("--terms-url", metavar="U", help="Its terms."),
    click.option("--support-email", metavar="E", help="Where customers get help."),
    click.option(
        "--field",
        "field_rules",
        multiple=True,
        metavar="NAME=RULE",
        help="Whether registration and profile show a field: hidden, optional, required or read-only. Others stay.",
    ),
    click.option(
        "--magic-auth-creates/--no-magic-auth-creates",
        default=None,
        help="Whether the API's magic-auth makes a contact of an unknown address.",
    ),
)
_LISTS = (
    ("frame_ancestors", "--frame-ancestor"),
    ("return_origins", "--return-origin"),
    ("handover_urls", "--handover-url"),
)


def _with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each thing that an organisation may set."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group(cls=AppGroup)
def organisation() -> None:
    """The organisations whose customers the portal serves."""


@organisation.command(cls=PlainCommand)
@click.argument("slug")
@click.option("--name", metavar="N", required=True, help="What it is called on pages and in mails.")
@_with_settings
def add(slug: str, **options: Any) -> None:
    """Add an organisation."""
    add_organisation(current_context(), slug, _given(options), _portal())
    click.echo(f"Organisation {slug} is added.")
    _warn(slug)


@organisation.command("set", cls=PlainCommand)
@click.argument("slug")
@click.option("--name", metavar="N", help="What it is called on pages and in mails.")
@_with_settings
def set_(slug: str, **options: Any) -> None:
    """Change what is named, and nothing else.

    An option that may be repeated replaces the whole list; an empty text (--sender "") empties a value. Running servers
    follow within seconds.
    """
    given = _given(options)
    if not given:
        raise click.UsageError("Say what to set; `portal organisation set --help` lists the options.")
    change_organisation(current_context(), slug, given, _portal())
    click.echo(f"Organisation {slug} is changed.")
    _warn(slug)


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
    """Show all that is set for one organisation."""
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
            ("Privacy", found.privacy_url),
            ("Terms", found.terms_url),
            ("Support", found.support_email),
            ("Fields", " ".join(f"{name}={rule}" for name, rule in sorted(found.field_rules.items()))),
            ("magic-auth creates", "yes" if found.magic_auth_creates else "no"),
        ]
    )


def _given(options: dict[str, Any]) -> OrganisationChanges:
    """What was named on the command line."""
    for field, option in _LISTS:
        empty = options.pop(f"no_{field}")
        if empty and options[field]:
            raise click.UsageError(f"{option} and --no-{field.replace('_', '-')} contradict each other.")
        if not empty and not options[field]:
            del options[field]
    if not options["field_rules"]:
        del options["field_rules"]
    if options.get("logo"):
        options["logo"] = _read_logo(Path(options["logo"]))
    elif options["logo"] == "":
        options["logo"] = b""
    return cast(OrganisationChanges, {field: value for field, value in options.items() if value is not None})


def _read_logo(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(images.MAX_BYTES + 1)  # enough to see that it is too large


def _portal() -> Portal:
    return Portal(languages=languages_of(current_app).tags, hostname=settings_of(current_app).hostname)


def _pages(one: Organisation, base_url: str) -> str | None:
    return None if one.hostname is None and one.slug != DEFAULT else one.url(base_url)


def _warn(slug: str) -> None:
    """Say what can be set and yet does not work."""
    with current_context().database.read() as connection:
        found = get_organisation(connection, slug)
    if found.hostname is None and slug != DEFAULT:
        _warning(f"{slug} has no host name: it has no pages, and links in its mails lead to those of {DEFAULT}.")
    if found.frame_ancestors and not settings_of(current_app).is_https:
        _warning(f"in frames of other sites browsers keep cookies of https only; {PREFIX}BASE_URL is http.")


def _warning(words: str) -> None:
    click.echo(f"Warning: {words}", err=True)
