"""Forms that were sent with errors: what the page says, and what it keeps."""

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site
from tests.web.expectations import assert_page, focused, visible_fields

EMAIL = "ada@example.com"


@pytest.fixture
def failed(site: Site) -> dict[str, tuple[Page, set[str]]]:
    """Every form sent with as many errors as possible, and the fields with errors."""
    browser, elsewhere = site.browser(), site.browser()
    pages = {
        "/login": (browser.fill("/login", {"email": "x", "remember": "y"}), {"email", "password"}),
        "/register": (
            browser.fill("/register", {"email": "x", "phone": "x", "company_name": "x" * 300, "newsletter": "y"}),
            {"email", "password", "first_name", "last_name", "phone", "company_name"},
        ),
        "/password/reset": (browser.fill("/password/reset", {"email": "x"}), {"email"}),
        "wrong password": (browser.sign_in(EMAIL, "wrong"), {"password"}),
    }
    browser.register(EMAIL, PASSWORD)
    pages["verify elsewhere"] = elsewhere.fill(site.link(EMAIL), {"password": "wrong"}), {"password"}
    browser.fill(site.link(EMAIL))
    browser.ask_for_reset(EMAIL)
    both = {"current_password", "password"}
    profile = {"first_name": "", "phone": "12", "company_name": "x" * 300, "country": "XX", "locale": "xx"}
    return pages | {
        "/account/profile": (browser.fill("/account/profile", profile, submit_to="/account/profile"), set(profile)),
        "/account/password": (browser.fill("/account/password"), both),
        "reset": (elsewhere.fill(site.link(EMAIL), {"password": "password1"}), {"password"}),
        "stale": (site.browser().fill("/login", {"email": EMAIL, "csrf_token": "x"}), {""}),
    }


def is_told_at_its_field(blamed: set[str]) -> bool:
    """Return whether the only error is that of a field, which needs no summary."""
    return len(blamed) == 1 and blamed != {""}


def test_a_failed_form_says_so_in_title_summary_and_beside_each_field(failed: dict[str, tuple[Page, set[str]]]) -> None:
    for name, (page, blamed) in failed.items():
        assert_page(page, 400 if name == "stale" else 422)
        assert page.title.startswith("Error: ")
        main = page.tree.one("main")
        summaries = main.all("div", role="alert")
        assert [summary.get("tabindex") for summary in summaries] == ([] if is_told_at_its_field(blamed) else ["-1"])
        assert [heading.text for heading in main.all("h2", id="problems-title")] == (
            ["There is a problem"] if len(blamed) > 1 else []
        )
        assert {field for field, _ in page.problems} == blamed
        assert len(page.problems) == len(blamed)
        for field, words in page.problems:
            if field:
                control = main.one("select" if field in ("country", "locale") else "input", id=field)
                assert control.get("aria-invalid") == "true"
                (error,) = [name for name in control.get("aria-describedby").split() if name.endswith("-error")]
                assert main.one("p", id=error).text == f"Error: {words}"
        right = [e for e in visible_fields(page) if e.get("id") not in blamed]
        assert not any("aria-invalid" in field.attributes for field in right)


def test_what_was_typed_stays_except_passwords(site: Site) -> None:
    typed = {"email": "ada at example", "first_name": ' "A" & <b> ', "last_name": "", "phone": "12", "newsletter": "y"}
    page = site.browser().fill("/register?ref=Abcdefgh12345678", {**typed, "password": PASSWORD})

    fields = page.form().fields
    assert fields["first_name"].strip() == typed["first_name"].strip()
    assert {name: fields[name] for name in ("email", "phone", "newsletter")} == {
        "email": "ada at example",
        "phone": "12",
        "newsletter": "y",
    }
    assert fields["ref"] == "Abcdefgh12345678"
    assert fields["password"] == ""
    assert PASSWORD not in page.text


def test_what_is_wrong_with_a_field_names_it(site: Site) -> None:
    long = {"password": "x" * 300, "company_name": "x" * 256, "first_name": "a\x01b", "last_name": "L"}
    page = site.browser().fill("/register", {"email": EMAIL, **long})

    assert dict(page.problems) == {
        "password": "Password can have at most 256 characters.",
        "first_name": "First name: it contains a character that can't be used here. Please type it again.",
        "company_name": "Company can have at most 255 characters.",
    }


def test_an_expired_form_without_fields_says_so(site: Site) -> None:
    browser = site.customer(EMAIL)
    stale = browser.fill("/account", {"csrf_token": "x"}, submit_to="/logout")

    assert stale.status == 400
    assert stale.problems == [("", "Your session on this page expired. Please send the form again.")]
    assert "You're still signed in." in stale.words
    assert site.browser().post(stale.form(), {"csrf_token": "x"}).location == "/login"


def test_a_single_wrong_field_is_focused_and_else_the_summary(
    failed: dict[str, tuple[Page, set[str]]],
) -> None:
    assert any(is_told_at_its_field(blamed) for _, blamed in failed.values())
    for name, (page, blamed) in failed.items():
        assert focused(page) == (list(blamed) if is_told_at_its_field(blamed) else []), name
