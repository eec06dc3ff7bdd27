"""`portal api-key`: the keys of the API."""

from datetime import timedelta

import click
from flask.cli import AppGroup

from portal.app import current_context
from portal.cli.arguments import Duration, Text, with_organisation
from portal.cli.errors import PlainCommand
from portal.cli.tables import echo_table
from portal.domain import api_keys
from portal.domain.api_keys import DEFAULT_SCOPES, KeyKind, Scope
from portal.domain.organisations import get_organisation


@click.group("api-key", cls=AppGroup)
def api_key() -> None:
    """Create, list and revoke API keys."""


@api_key.command(cls=PlainCommand)
@with_organisation
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in KeyKind]),
    required=True,
    help="PROD for a shop's server, DEV_ for one developer, ROOT for a key without a request rate limit.",
)
@click.option("--label", type=Text(), metavar="TEXT", help="What the key is for; shown in the list.")
@click.option(
    "--expires",
    type=Duration(),
    metavar="DURATION",
    help="How long the key is valid, such as 90d; by default until it is revoked.",
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=[scope.value for scope in DEFAULT_SCOPES],
    show_default=True,
    help="What the key may be used for; repeat the option for more.",
)
def create(slug: str, kind: str, label: str | None, expires: timedelta | None, scopes: tuple[str, ...]) -> None:
    """Create a key and print it once.

    The key is alone on the last line. Only a digest of it is stored. A key that cannot be printed is revoked.
    """
    context = current_context()
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    key_id, key = api_keys.create(
        context,
        organisation.id,
        KeyKind(kind),
        label=label,
        lifetime=expires,
        scopes=[Scope(scope) for scope in scopes],
    )
    try:
        click.echo(f"API key {key_id} of {organisation.slug}: copy it now; it is not shown again.")
        click.echo(key)
    except OSError:
        api_keys.revoke(context, key_id)  # a full disk or a closed pipe: the operator has not got the key
        raise


@api_key.command("list", cls=PlainCommand)
@click.option("--organisation", "slug", type=Text(), metavar="SLUG", help="Only the keys of one organisation.")
def list_(slug: str | None) -> None:
    """List the keys with scopes, state and last use."""
    context = current_context()
    with context.database.read() as connection:
        organisation_id = get_organisation(connection, slug).id if slug is not None else None
        found = api_keys.list_keys(connection, organisation_id)
    now = context.clock()
    echo_table(
        ("ID", "ORGANISATION", "KIND", "LABEL", "STATE", "SCOPES", "CREATED", "EXPIRES", "LAST USED"),
        (
            (
                key.id,
                key.organisation,
                key.kind,
                key.label,
                key.state(now),
                " ".join(key.scopes),
                key.created_at,
                key.expires_at,
                key.last_used_at,
            )
            for key in found
        ),
    )


@api_key.command(cls=PlainCommand)
@click.argument("key_id", type=click.IntRange(1, 2**31 - 1), metavar="ID")
def revoke(key_id: int) -> None:
    """Revoke a key; the next request with it is refused."""
    was_active = api_keys.revoke(current_context(), key_id)
    click.echo(f"API key {key_id} {'is revoked' if was_active else 'was already revoked'}.")
