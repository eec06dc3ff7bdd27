from pathlib import Path

import pytest

from portal.domain.context import Context
from portal.domain.organisations import Organisation, get_organisation
from portal.domain.values.images import COVER_MAX_BYTES, MAX_BYTES
from tests.cli.conftest import Run


def _get(context: Context, slug: str) -> Organisation:
    with context.database.read() as connection:
        return get_organisation(connection, slug)


def test_a_fresh_portal_lists_the_default_organisation(run: Run, context: Context) -> None:
    _, only = run("organisation", "list").out.splitlines()
    assert only.split() == ["default", "Customer", "portal", "http://127.0.0.1:5000", "-", "-"]


def test_everything_can_be_set_at_once_and_is_shown(
    run: Run, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_BASE_URL", "https://portal.example.com:8443")
    logo = tmp_path / "logo"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n")
    added = run(
        *("organisation", "add", "shop", "--name", "The Shop", "--hostname", "Login.Shop.example"),
        *("--frame-ancestor", "https://shop.example", "--frame-ancestor", "https://www.shop.example"),
        *("--return-origin", "https://shop.example", "--handover-url", "HTTPS://Shop.example:443/callback"),
        *("--handover-url", "https://shop.example", "--locale", "en", "--sender", "mail@shop.example.com"),
        *("--accent", "0B5FFF", "--logo", str(logo), "--privacy-url", "https://shop.example/privacy"),
        *("--terms-url", "https://shop.example/terms", "--support-email", "help@shop.example.com"),
        *(
            "--require-two-step",
            "required",
            "--no-magic-auth-creates",
            "--field",
            "phone=required",
            "--field",
            "city=hidden",
        ),
    )
    assert (added.status, added.out, added.err) == (0, "Organisation shop is added.\n", "")
    assert run("organisation", "show", "shop").out.splitlines() == [
        "Slug                shop",
        "Name                The Shop",
        "Host name           login.shop.example",
        "Pages               https://login.shop.example:8443",
        "Frame ancestors     https://shop.example https://www.shop.example",
        "Return origins      https://shop.example",
        "Hand-over URLs      https://shop.example/callback https://shop.example/",
        "Language            en",
        "Sender              mail@shop.example.com",
        "Accent              #0b5fff",
        "Logo                image/png",
        "Cover               -",
        "Privacy             https://shop.example/privacy",
        "Terms               https://shop.example/terms",
        "Support             help@shop.example.com",
        "Fields              city=hidden phone=required",
        "Second step         required",
        "magic-auth creates  no",
    ]


def test_set_changes_what_is_named_and_empties_what_is_empty(run: Run, context: Context) -> None:
    run("organisation", "set", "default", "--accent", "0b5fff", "--sender", "mail@shop.example.com", "--logo", "")
    assert run("organisation", "set", "default", "--sender", "", "--name", "The Shop").status == 0
    found = _get(context, "default")
    assert (found.name, found.accent, found.sender) == ("The Shop", "#0b5fff", None)


def test_an_option_that_may_be_repeated_replaces_the_list_and_its_opposite_empties_it(
    run: Run, context: Context
) -> None:
    run(
        "organisation", "set", "default", "--return-origin", "https://a.example", "--return-origin", "https://b.example"
    )
    assert _get(context, "default").return_origins == ("https://a.example", "https://b.example")
    run("organisation", "set", "default", "--return-origin", "https://c.example")
    run("organisation", "set", "default", "--frame-ancestor", "https://c.example")
    assert _get(context, "default").return_origins == ("https://c.example",)
    run("organisation", "set", "default", "--no-return-origins", "--no-frame-ancestors")
    assert _get(context, "default").return_origins == _get(context, "default").frame_ancestors == ()


def test_hand_over_addresses_are_replaced_and_emptied_too(run: Run, context: Context) -> None:
    urls = ("https://a.example/in", "https://a.example/other")
    first = run("organisation", "set", "default", "--return-origin", "https://a.example", "--handover-url", urls[0])
    assert (first.status, _get(context, "default").handover_urls) == (0, urls[:1])
    assert run("organisation", "set", "default", "--handover-url", urls[1], "--handover-url", urls[0]).status == 0
    assert _get(context, "default").handover_urls == (urls[1], urls[0])
    assert run("organisation", "set", "default", "--no-handover-urls").status == 0
    assert _get(context, "default").handover_urls == ()
    assert "Hand-over URLs      -" in run("organisation", "show", "default").out.splitlines()


def test_a_hand_over_address_on_no_return_origin_is_refused(run: Run, context: Context) -> None:
    complaint = run("organisation", "set", "default", "--handover-url", "https://a.example/in").complaint
    assert "https://a.example/in" in complaint
    assert "return origin" in complaint
    both = ("--return-origin", "https://a.example", "--handover-url", "https://a.example/in")
    assert run("organisation", "set", "default", *both).status == 0
    # The rejected part is not stored alone, either.
    assert "https://a.example/in" in run("organisation", "set", "default", "--no-return-origins").complaint
    assert _get(context, "default").return_origins == ("https://a.example",)
    assert run("organisation", "set", "default", "--no-return-origins", "--no-handover-urls").status == 0
    added = run("organisation", "add", "shop", "--name", "The Shop", "--handover-url", "https://a.example/in")
    assert "https://a.example/in" in added.complaint


def test_magic_auth_creates_contacts_until_it_is_switched_off(run: Run, context: Context) -> None:
    assert _get(context, "default").magic_auth_creates
    run("organisation", "set", "default", "--no-magic-auth-creates")
    assert not _get(context, "default").magic_auth_creates
    run("organisation", "set", "default", "--magic-auth-creates")
    assert _get(context, "default").magic_auth_creates


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "shop"),
        ("add", "Shop", "--name", "The Shop"),
        ("add", "default", "--name", "The Shop"),
        ("add", "shop", "--name", ""),
        ("add", "shop", "--name", "a\nb"),
        ("add", "sh\udcffop", "--name", "The Shop"),
        ("add", "shop", "--name", "a\udcff"),
        ("set", "default"),
        ("set", "elsewhere", "--name", "Elsewhere"),
        ("set", "default", "--name", ""),
        ("set", "default", "--hostname", "login.example.com:443"),
        ("set", "default", "--frame-ancestor", "*"),
        ("set", "default", "--frame-ancestor", ""),
        ("set", "default", "--frame-ancestor", "https://a.example", "--no-frame-ancestors"),
        ("set", "default", "--return-origin", "https://a.example/"),
        ("set", "default", "--return-origin", "https://a.example", "--no-return-origins"),
        ("set", "default", "--handover-url", "/callback"),
        ("set", "default", "--handover-url", ""),
        ("set", "default", "--handover-url", "https://a.example/in", "--no-handover-urls"),
        ("set", "default", "--locale", "tlh"),
        ("set", "default", "--sender", "shop"),
        ("set", "default", "--accent", "blue"),
        ("set", "default", "--logo", "/no/such/file"),
        ("set", "default", "--logo", "/"),
        ("set", "default", "--logo", __file__),
        ("set", "default", "--cover", "/no/such/file"),
        ("set", "default", "--cover", "/"),
        ("set", "default", "--cover", __file__),
        ("set", "default", "--cover", __file__, "--no-cover"),
        ("set", "default", "--privacy-url", "javascript:alert(1)"),
        ("set", "default", "--support-email", "help@"),
        ("show", "elsewhere"),
        ("show", "sh\udcffop"),
    ],
    ids=ascii,
)
def test_bad_input_is_one_line_and_changes_nothing(run: Run, context: Context, arguments: tuple[str, ...]) -> None:
    before = _get(context, "default")
    assert run("organisation", *arguments).complaint
    assert _get(context, "default") == before
    assert len(run("organisation", "list").out.splitlines()) == 2


def test_no_more_of_a_logo_is_read_than_is_needed_to_refuse_it(run: Run, context: Context, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    with logo.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(MAX_BYTES * 10_000)  # a sparse file, which takes no space
    assert "larger than 256 KiB" in run("organisation", "set", "default", "--logo", str(logo)).complaint


def test_a_cover_is_stored_until_it_is_taken_off(run: Run, context: Context, tmp_path: Path) -> None:
    cover = tmp_path / "cover"
    cover.write_bytes(b"\xff\xd8\xff\xe0".ljust(COVER_MAX_BYTES, b"\0"))
    assert run("organisation", "set", "default", "--cover", str(cover)).status == 0
    assert "Cover               image/jpeg" in run("organisation", "show", "default").out.splitlines()
    assert run("organisation", "set", "default", "--no-cover").status == 0
    assert _get(context, "default").cover_type is None
    added = run("organisation", "add", "shop", "--name", "The Shop", "--cover", str(cover))
    assert (added.status, _get(context, "shop").cover_type) == (0, "image/jpeg")
    with cover.open("ab") as file:
        file.truncate(MAX_BYTES * 10_000)  # a sparse file, which takes no space
    assert "larger than 200 KiB" in run("organisation", "set", "default", "--cover", str(cover)).complaint


def test_a_frame_ancestor_without_https_is_warned_of(
    run: Run, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    ancestor = ("organisation", "set", "default", "--frame-ancestor", "https://shop.example")
    warned = run(*ancestor)
    assert warned.status == 0
    assert "PORTAL_BASE_URL: http" in warned.err
    monkeypatch.setenv("PORTAL_BASE_URL", "https://portal.example.com")
    assert run(*ancestor).err == ""


def test_an_organisation_without_a_host_name_is_warned_of(run: Run, context: Context) -> None:
    assert "shop: no host name" in run("organisation", "add", "shop", "--name", "The Shop").err
    assert run("organisation", "set", "shop", "--hostname", "login.shop.example").err == ""
    assert run("organisation", "list").out.splitlines()[-1].split()[:4] == [
        "shop",
        "The",
        "Shop",
        "http://login.shop.example:5000",
    ]


def test_the_host_of_base_url_stays_the_default_organisations(
    run: Run, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_BASE_URL", "https://portal.example.com")
    add = ("organisation", "add", "shop", "--name", "The Shop", "--hostname")
    assert "is the host of BASE_URL" in run(*add, "Portal.example.com").complaint
    assert run(*add, "login.example.com").status == 0


def test_fields_are_chosen_and_shown(run: Run, context: Context) -> None:
    fields = ("--field", "phone=required", "--field", "company_name=hidden")
    assert run("organisation", "set", "default", *fields).status == 0
    assert "Fields              company_name=hidden phone=required" in run("organisation", "show", "default").out
    assert "no field 'shoe_size'" in run("organisation", "set", "default", "--field", "shoe_size=required").complaint
