"""Add organisations and change their settings; all changes of a call are stored, or none."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from portal.domain.audit_log import EventKind, record
from portal.domain.context import Context, Visitor
from portal.domain.field_rules import ALWAYS_ANSWERED, PROFILE_FIELDS, FieldRule
from portal.domain.organisations import DEFAULT, TwoStepRule, UnknownOrganisation
from portal.domain.return_urls import parse_handover_url
from portal.domain.values import images
from portal.domain.values.email import parse_email
from portal.domain.values.invalid import InvalidValue
from portal.domain.values.locale import parse_locale
from portal.domain.values.text import cleaned, is_plain
from portal.domain.values.urls import origin_of, parse_hostname, parse_origin, parse_page_url
from portal.storage.database import retried
from portal.storage.models import STRING_LENGTH, Organisation

MAX_ENTRIES = 50
"""Maximum number in one list: a header of every page contains all of them."""
_CHECKED = (Organisation.c.id, Organisation.c.handover_urls, Organisation.c.return_origins)
"""The columns to read back after a write: a change may set one of the two lists only."""
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_ACCENT = re.compile(r"#?([0-9a-f]{6})", re.ASCII | re.IGNORECASE)


class OrganisationChanges(TypedDict, total=False):
    """The changes of an operator, as they were typed. A missing key changes nothing; an empty value removes it."""

    name: str
    hostname: str
    frame_ancestors: Sequence[str]
    return_origins: Sequence[str]
    handover_urls: Sequence[str]
    locale: str
    sender: str
    accent: str
    logo: bytes
    cover: bytes
    privacy_url: str
    terms_url: str
    support_email: str
    magic_auth_creates: bool
    require_two_step: str
    field_rules: Sequence[str]
    """Each as NAME=RULE; fields that are not named keep theirs."""


@dataclass(frozen=True)
class Portal:
    """The settings of the portal that those of an organisation are checked against."""

    languages: Sequence[str]
    """The tags of the supported languages."""
    hostname: str
    """The host of BASE_URL."""


class InvalidOrganisation(ValueError):
    """A value is invalid, and nothing was changed. The message is one sentence for the operator."""


@retried
def add_organisation(context: Context, slug: str, changes: OrganisationChanges, portal: Portal) -> None:
    """Add an organisation; a name is required. Raises InvalidOrganisation."""
    if not _SLUG.fullmatch(slug):
        raise InvalidOrganisation(
            f"The slug {slug[:80]!r} is not made of lower-case letters, digits and hyphens between them, at most 63."
        )
    if "name" not in changes:
        raise InvalidOrganisation("An organisation needs a name.")
    values = {"slug": slug, "created_at": context.clock(), **_columns(slug, changes, portal)}
    values = {"frame_ancestors": [], "return_origins": [], "handover_urls": [], "magic_auth_creates": True, **values}
    values = {"field_rules": {}, "require_two_step": TwoStepRule.OPTIONAL, **values}
    try:
        with context.database.write() as connection:
            row = connection.execute(insert(Organisation).returning(*_CHECKED), values).one()
            _require_return_origins(row.handover_urls, row.return_origins)
            operator = Visitor.operator(row.id)
            record(connection, operator, EventKind.ORGANISATION_ADD, contact_id=None, now=context.clock())
    except IntegrityError:
        raise _not_unique(context, slug, changes) from None


@retried
def change_organisation(context: Context, slug: str, changes: OrganisationChanges, portal: Portal) -> None:
    """Change the settings of an organisation; raises UnknownOrganisation and InvalidOrganisation."""
    columns = _columns(slug, changes, portal)
    try:
        with context.database.write() as connection:
            if "field_rules" in columns:
                columns["field_rules"] = {**_chosen_rules(connection, slug), **columns["field_rules"]}
            statement = update(Organisation).where(Organisation.c.slug == slug).values(columns).returning(*_CHECKED)
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise UnknownOrganisation(slug)
            _require_return_origins(row.handover_urls, row.return_origins)
            operator = Visitor.operator(row.id)
            record(connection, operator, EventKind.ORGANISATION_CHANGE, contact_id=None, now=context.clock())
    except IntegrityError:
        raise _not_unique(context, "", changes) from None


def _chosen_rules(connection: Connection, slug: str) -> dict[str, str]:
    held = select(Organisation.c.field_rules).where(Organisation.c.slug == slug).with_for_update()
    return connection.execute(held).scalar_one_or_none() or {}


def _not_unique(context: Context, slug: str, changes: OrganisationChanges) -> InvalidOrganisation:
    """Return the error for a violated unique constraint: of the slug, else of the host name."""
    with context.database.read() as connection:
        if connection.execute(select(Organisation.c.id).where(Organisation.c.slug == slug)).one_or_none() is not None:
            return InvalidOrganisation(f"There is an organisation {slug!r} already.")
    return InvalidOrganisation(f"Another organisation has the host name {changes.get('hostname', '').strip()!r}.")


def _columns(slug: str, changes: OrganisationChanges, portal: Portal) -> dict[str, Any]:
    """Parse the changes into column values; raises InvalidOrganisation."""
    columns: dict[str, object] = {}
    try:
        for field, value in changes.items():
            columns[field] = None if value in ("", b"") and field != "name" else _READERS[field](value)
        if columns.get("locale") is not None:
            columns["locale"] = _require_supported(str(columns["locale"]), portal.languages)
        if "logo" in changes:
            columns["logo_type"] = images.media_type(changes["logo"]) if changes["logo"] else None
        if "cover" in changes:
            columns["cover_type"] = images.cover_type(changes["cover"]) if changes["cover"] else None
    except ValueError as error:
        raise InvalidOrganisation(str(error)) from None
    if columns.get("hostname") == portal.hostname and slug != DEFAULT:
        raise InvalidOrganisation(f"{portal.hostname!r} is the host of BASE_URL, where the pages of {DEFAULT!r} are.")
    return columns


def _name(text: str) -> str:
    name = cleaned(text)
    if not name or len(name) > STRING_LENGTH or not is_plain(name):
        raise ValueError(
            f"The name must be one line of 1 to {STRING_LENGTH} characters, none of them a control character."
        )
    return name


def _list_of(parse: Callable[[str], str]) -> Callable[[Sequence[str]], list[str]]:
    """Return a parser of a list without repeated entries, each read by `parse`."""

    def read(texts: Sequence[str]) -> list[str]:
        entries = list(dict.fromkeys(parse(text) for text in texts))
        if len(entries) > MAX_ENTRIES:
            raise ValueError(f"There may be at most {MAX_ENTRIES} entries in a list.")
        return entries

    return read


def _require_return_origins(handover_urls: Sequence[str], return_origins: Sequence[str]) -> None:
    """Raise InvalidOrganisation for a hand-over URL on an origin that is no return origin."""
    for url in handover_urls:
        if origin_of(url) not in return_origins:
            raise InvalidOrganisation(
                f"The hand-over address {url} is on no return origin: add {origin_of(url)} to the return origins,"
                " or remove the address."
            )


def _locale(text: str) -> str:
    try:
        return parse_locale(text)
    except InvalidValue:
        raise ValueError(f"{text[:80]!r} is not the tag of a language such as cs or en-GB.") from None


def _require_supported(locale: str, languages: Sequence[str]) -> str:
    if not {locale, locale.partition("-")[0]} & set(languages):
        raise ValueError(f"The portal does not support {locale!r}, only: {', '.join(languages)}.")
    return locale


def _email(text: str) -> str:
    try:
        return parse_email(text).email
    except InvalidValue:
        raise ValueError(f"{text[:80]!r} is not one e-mail address such as shop@example.com.") from None


def _accent(text: str) -> str:
    found = _ACCENT.fullmatch(cleaned(text))
    if found is None:
        raise ValueError(f"{text[:80]!r} is not a colour such as #0b5fff.")
    return f"#{found[1].lower()}"


def _field_rules(texts: Sequence[str]) -> dict[str, str]:
    rules: dict[str, str] = {}
    for text in texts:
        name, _, rule = (part.strip() for part in text.partition("="))
        if name not in PROFILE_FIELDS:
            raise ValueError(f"There is no field {name[:80]!r}. The fields are {', '.join(sorted(PROFILE_FIELDS))}.")
        if rule not in set(FieldRule):
            raise ValueError(f"A field cannot be {rule[:80]!r}. It can be {', '.join(FieldRule)}.")
        if rule == FieldRule.REQUIRED and name in ALWAYS_ANSWERED:
            raise ValueError(f"The field {name!r} cannot be required, since it is never empty.")
        if rules.setdefault(name, rule) != rule:
            raise ValueError(f"The field {name!r} is named twice.")
    return rules


def _page_url(example: str) -> Callable[[str], str]:
    return lambda text: parse_page_url(text, STRING_LENGTH, f"https://shop.example.com/{example}")


_READERS: dict[str, Callable[[Any], object]] = {
    "name": _name,
    "hostname": parse_hostname,
    "frame_ancestors": _list_of(parse_origin),
    "return_origins": _list_of(parse_origin),
    "handover_urls": _list_of(parse_handover_url),
    "locale": _locale,
    "sender": _email,
    "accent": _accent,
    "logo": bytes,
    "cover": bytes,
    "privacy_url": _page_url("privacy"),
    "terms_url": _page_url("terms"),
    "support_email": _email,
    "magic_auth_creates": bool,
    "require_two_step": TwoStepRule,
    "field_rules": _field_rules,
}
"""The parser of each value that is not empty; raises ValueError, with a sentence for the operator."""
