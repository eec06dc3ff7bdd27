"""Organisations are added and changed as a whole or not at all."""

from collections.abc import Sequence
from typing import cast

import pytest
from sqlalchemy import select

from portal.domain.context import Context
from portal.domain.operations.organisation_settings import (
    InvalidOrganisation,
    OrganisationChanges,
    Portal,
    add_organisation,
    change_organisation,
)
from portal.domain.organisations import Organisation, UnknownOrganisation, get_organisation, list_organisations
from portal.storage.models import Event
from portal.storage.models import Organisation as OrganisationRow

PORTAL = Portal(languages=("en", "cs"), hostname="portal.example.com")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
EVERYTHING: OrganisationChanges = {
    "name": " Kámen & syn ",
    "hostname": "Login.Kámen.example",
    "frame_ancestors": ["https://KAMEN.example", "https://kamen.example:443", "http://localhost:3000"],
    "return_origins": ["https://shop.kamen.example"],
    "handover_urls": ["https://Shop.Kamen.example:443/p\u0159ihl\u00e1\u0161en\u00ed", "https://shop.kamen.example"],
    "locale": "CS-cz",
    "sender": "Shop@Kamen.example.com",
    "accent": "0B5FFF",
    "logo": PNG,
    "privacy_url": "https://kamen.example/privacy",
    "terms_url": "http://kamen.example/terms",
    "support_email": "help@kamen.example.com",
    "magic_auth_creates": False,
    "require_two_step": "required",
}


def _add(context: Context, slug: str, given: OrganisationChanges) -> None:
    add_organisation(context, slug, given, PORTAL)


def _set(context: Context, slug: str, given: OrganisationChanges) -> None:
    change_organisation(context, slug, given, PORTAL)


def _get(context: Context, slug: str) -> Organisation:
    with context.database.read() as connection:
        return get_organisation(connection, slug)


def _logo(context: Context, slug: str) -> bytes | None:
    with context.database.read() as connection:
        return connection.scalars(select(OrganisationRow.c.logo).where(OrganisationRow.c.slug == slug)).one()


def test_a_new_portal_has_the_default_organisation(context: Context) -> None:
    with context.database.read() as connection:
        (only,) = list_organisations(connection)
    assert only == Organisation(id=only.id, slug="default", name="Customer portal")


def test_given_settings_are_stored_in_their_canonical_form(context: Context) -> None:
    _add(context, "kamen", EVERYTHING)
    found = _get(context, "kamen")
    assert found == Organisation(
        id=found.id,
        slug="kamen",
        name="Kámen & syn",
        hostname="login.xn--kmen-5na.example",
        frame_ancestors=("https://kamen.example", "http://localhost:3000"),
        return_origins=("https://shop.kamen.example",),
        handover_urls=("https://shop.kamen.example/p%C5%99ihl%C3%A1%C5%A1en%C3%AD", "https://shop.kamen.example/"),
        locale="cs-CZ",
        sender="shop@kamen.example.com",
        accent="#0b5fff",
        logo_type="image/png",
        privacy_url="https://kamen.example/privacy",
        terms_url="http://kamen.example/terms",
        support_email="help@kamen.example.com",
        magic_auth_creates=False,
        require_two_step="required",
    )
    assert _logo(context, "kamen") == PNG


def test_settings_that_are_not_given_stay_unchanged(context: Context) -> None:
    _add(context, "kamen", EVERYTHING)
    before = _get(context, "kamen")
    _set(context, "kamen", {"name": "Kámen"})
    after = _get(context, "kamen")
    assert after.name == "Kámen"
    assert {**vars(after), "name": before.name} == vars(before)
    assert _logo(context, "kamen") == PNG


def test_an_empty_text_or_list_clears_a_setting(context: Context) -> None:
    _add(context, "kamen", EVERYTHING)
    _set(
        context,
        "kamen",
        {
            "hostname": "",
            "frame_ancestors": [],
            "return_origins": [],
            "handover_urls": [],
            "locale": "",
            "sender": "",
            "accent": "",
            "logo": b"",
            "privacy_url": "",
            "terms_url": "",
            "support_email": "",
        },
    )
    found = _get(context, "kamen")
    assert found == Organisation(
        id=found.id, slug="kamen", name="Kámen & syn", magic_auth_creates=False, require_two_step="required"
    )
    assert _logo(context, "kamen") is None


def test_a_list_that_is_given_replaces_the_old_one(context: Context) -> None:
    _add(context, "kamen", EVERYTHING)
    _set(context, "kamen", {"return_origins": ["https://new.example"], "handover_urls": ["https://new.example/in"]})
    found = _get(context, "kamen")
    assert (found.return_origins, found.handover_urls) == (("https://new.example",), ("https://new.example/in",))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "The name must be"),
        ({"name": " \t"}, "The name must be"),
        ({"name": "x" * 256}, "The name must be"),
        ({"name": "Shop\r\nBcc: eve@example.com"}, "The name must be"),
        ({"name": "Shop\x1b[2J"}, "The name must be"),
        ({"name": "Shop\ud800"}, "The name must be"),
        ({"hostname": "https://login.example.com"}, "is not a host name"),
        ({"hostname": "portal.example.com"}, "is the host of BASE_URL"),
        ({"frame_ancestors": ["https://shop.example.com", "*"]}, "'\\*' is not an origin"),
        ({"return_origins": ["null"]}, "'null' is not an origin"),
        ({"return_origins": [f"https://{number}.example.com" for number in range(51)]}, "at most 50 entries"),
        ({"handover_urls": ["https://kamen.example/in"]}, "is on no return origin: .*https://kamen.example "),
        ({"handover_urls": ["http://shop.kamen.example/in"]}, "is on no return origin"),
        ({"handover_urls": ["/in"]}, "is not the address of a page such as https://shop.example.com/signed-in."),
        ({"handover_urls": ["https://shop.kamen.example/in?x=1"]}, "without query and fragment"),
        ({"handover_urls": ["https://shop.kamen.example/in#"]}, "without query and fragment"),
        ({"handover_urls": [f"https://shop.kamen.example/{number}" for number in range(51)]}, "at most 50 entries"),
        ({"locale": "fr"}, "does not support 'fr', only: en, cs"),
        ({"locale": "../../etc"}, "is not the tag of a language"),
        ({"sender": "Shop <shop@example.com>"}, "is not one e-mail address"),
        ({"sender": "shop@example.com, eve@example.com"}, "is not one e-mail address"),
        ({"sender": "shop@example.com\r\nBcc: eve@example.com"}, "is not one e-mail address"),
        ({"support_email": "help"}, "is not one e-mail address"),
        ({"accent": "blue"}, "is not a colour"),
        ({"accent": "#0b5fff;}"}, "is not a colour"),
        ({"accent": "#0b5"}, "is not a colour"),
        ({"logo": b"GIF89a"}, "not a PNG, JPEG, WebP or SVG"),
        (
            {"privacy_url": "javascript:alert(1)"},
            "is not the address of a page such as https://shop.example.com/privacy.",
        ),
        (
            {"terms_url": "shop.example.com/terms"},
            "is not the address of a page such as https://shop.example.com/terms.",
        ),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_an_invalid_setting_is_refused_in_one_line_and_changes_nothing(
    context: Context, given: OrganisationChanges, words: str
) -> None:
    _add(context, "kamen", EVERYTHING)
    before = _get(context, "kamen")
    # A valid setting beside an invalid one is not stored, either.
    for change in (given, cast(OrganisationChanges, {"magic_auth_creates": True, **given})):
        with pytest.raises(InvalidOrganisation, match=words) as refusal:
            _set(context, "kamen", change)
        assert str(refusal.value).isprintable()
    assert _get(context, "kamen") == before
    with pytest.raises(InvalidOrganisation, match=words):
        _add(context, "other", {"name": "Other", **given})
    with context.database.read() as connection:
        assert [found.slug for found in list_organisations(connection)] == ["default", "kamen"]


def test_a_hand_over_address_must_be_on_a_return_origin(context: Context) -> None:
    _add(context, "kamen", EVERYTHING)
    for origins in ([], ["https://new.example"]):
        with pytest.raises(InvalidOrganisation, match="is on no return origin"):
            _set(context, "kamen", {"return_origins": origins})
    assert _get(context, "kamen").return_origins == ("https://shop.kamen.example",)


@pytest.mark.parametrize(
    "slug", ["", " ", "Shop", "shop_1", "-shop", "shop-", "s/hop", "š", "shop\n", "x" * 64], ids=ascii
)
def test_an_invalid_slug_is_refused(context: Context, slug: str) -> None:
    with pytest.raises(InvalidOrganisation, match="The slug"):
        _add(context, slug, {"name": "Shop"})


def test_a_slug_is_unique(context: Context) -> None:
    with pytest.raises(InvalidOrganisation, match="There is an organisation 'default' already"):
        _add(context, "default", {"name": "Shop"})


def test_a_host_name_is_unique(context: Context) -> None:
    _add(context, "kamen", {"name": "Kamen", "hostname": "login.example.com"})
    with pytest.raises(InvalidOrganisation, match=r"Another organisation has the host name 'LOGIN\.example\.com'"):
        _add(context, "sklo", {"name": "Sklo", "hostname": "LOGIN.example.com"})
    with pytest.raises(InvalidOrganisation, match="Another organisation has the host name"):
        _set(context, "default", {"hostname": "login.example.com"})


def test_any_number_of_organisations_may_lack_a_host_name(context: Context) -> None:
    for slug in ("kamen", "sklo"):
        _add(context, slug, {"name": slug})


def test_the_default_organisation_may_set_the_host_of_base_url(context: Context) -> None:
    _set(context, "default", {"hostname": "portal.example.com"})
    assert _get(context, "default").hostname == "portal.example.com"


def test_an_unknown_organisation_cannot_be_changed(context: Context) -> None:
    with pytest.raises(UnknownOrganisation, match="'elsewhere'"):
        _set(context, "elsewhere", {"name": "Elsewhere"})


def test_each_addition_and_change_is_an_event_of_the_organisation(context: Context) -> None:
    _add(context, "kamen", {"name": "Kamen"})
    _set(context, "kamen", {"accent": "#123456"})
    with pytest.raises(InvalidOrganisation):
        _set(context, "kamen", {"accent": "blue"})
    with context.database.read() as connection:
        kinds: Sequence[tuple[int, str]] = [
            (row.organisation_id, row.kind)
            for row in connection.execute(select(Event.c.organisation_id, Event.c.kind).order_by(Event.c.id))
        ]
    kamen = _get(context, "kamen").id
    assert kinds == [(kamen, "organisation_add"), (kamen, "organisation_change")]


@pytest.mark.parametrize(
    ("hostname", "base_url", "url"),
    [
        (None, "https://portal.example.com:8443", "https://portal.example.com:8443"),
        ("login.kamen.example", "https://portal.example.com", "https://login.kamen.example"),
        ("login.kamen.example", "https://portal.example.com:8443", "https://login.kamen.example:8443"),
        ("login.kamen.example", "http://[::1]:5000", "http://login.kamen.example:5000"),
    ],
)
def test_the_url_of_an_organisation_has_its_host_and_the_scheme_and_port_of_base_url(
    hostname: str | None, base_url: str, url: str
) -> None:
    assert Organisation(id=1, slug="kamen", name="Kamen", hostname=hostname).url(base_url) == url


def test_fields_that_are_not_named_keep_their_rules(context: Context) -> None:
    _set(context, "default", {"field_rules": ["phone=required", "company_name = hidden"]})
    _set(context, "default", {"field_rules": ["phone=read-only"]})
    assert _get(context, "default").field_rules == {"phone": "read-only", "company_name": "hidden"}
    _add(context, "kamen", {"name": "Kamen", "field_rules": ["city=required"]})
    assert _get(context, "kamen").field_rules == {"city": "required"}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("email=hidden", "no field 'email'"),
        ("phone=sometimes", "cannot be 'sometimes'"),
        ("phone", "cannot be ''"),
        ("", "no field ''"),
        ("newsletter=required", "cannot be required"),
        ("locale=required", "cannot be required"),
    ],
)
def test_a_rule_that_means_nothing_is_refused(context: Context, rule: str, words: str) -> None:
    with pytest.raises(InvalidOrganisation, match=words):
        _set(context, "default", {"field_rules": ["city=required", rule]})
    assert _get(context, "default").field_rules == {}


def test_a_field_has_one_rule(context: Context) -> None:
    with pytest.raises(InvalidOrganisation, match="twice"):
        _set(context, "default", {"field_rules": ["phone=required", "phone=hidden"]})
