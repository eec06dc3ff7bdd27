"""The markup of every page, for people, assistive technology and password managers."""

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_page
from tests.web.html import Element

EMAIL = "ada@example.com"
AUTOCOMPLETE = {
    "/login": {"email": "username", "password": "current-password"},
    "/register": {
        "email": "email",
        "password": "new-password",
        "first_name": "given-name",
        "last_name": "family-name",
        "phone": "tel",
        "company_name": "organization",
    },
    "/password/reset": {"email": "username"},
    "/login/link": {"email": "username"},
    "/login/code": {"code": "one-time-code"},
    "/register/code": {"code": "one-time-code"},
    "/account/profile": {
        "first_name": "given-name",
        "last_name": "family-name",
        "phone": "tel",
        "company_name": "organization",
        "company_registration_number": "off",
        "tax_identification_number": "off",
        "street_address": "address-line1",
        "city": "address-level2",
        "city_part": "address-level3",
        "state_region": "address-level1",
        "postal_code": "postal-code",
    },
    "/account/password": {"current_password": "current-password", "password": "new-password"},
    "/account/email": {"email": "email"},
    "/account/email/code": {"code": "one-time-code"},
    "verify": {},
    "verify elsewhere": {"password": "current-password"},
    "reset": {"password": "new-password"},
}


@pytest.fixture
def forms(site: Site) -> dict[str, Page]:
    """Every page with a form, before it is filled in."""
    browser, elsewhere = site.browser(), site.browser()
    pages = {path: browser.open(path) for path in ("/login", "/login/link", "/register", "/password/reset")}
    pages["/login/code"] = elsewhere.follow(elsewhere.fill("/login/link", {"email": EMAIL}))
    browser.register(EMAIL, PASSWORD)
    pages["/register/code"] = browser.open("/register/code")
    link = site.link(EMAIL)
    pages |= {"verify": browser.open(link), "verify elsewhere": elsewhere.open(link)}
    browser.fill(link)
    browser.ask_for_reset(EMAIL)
    reset = site.link(EMAIL)
    pages["/account/profile"] = browser.open("/account/profile")
    pages["/account/email"] = browser.open("/account/email")
    pages["/account/email/code"] = browser.follow(
        browser.post(pages["/account/email"].form("/account/email"), {"email": "ada.new@example.com"})
    )
    return pages | {"/account/password": browser.open("/account/password"), "reset": elsewhere.open(reset)}


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


def visible_fields(page: Page) -> list[Element]:
    hidden = {"hidden", "submit"}
    return [e for e in page.tree.one("main").all("input") if e.get("type") not in hidden and e.get("name")]


def test_every_form_page_has_the_common_layout(forms: dict[str, Page]) -> None:
    for page in forms.values():
        assert_page(page, 200)
        assert not page.title.startswith("Error: ")
        assert page.title.startswith(page.tree.one("h1").text)


def test_every_page_without_a_form_has_the_common_layout(site: Site) -> None:
    browser = site.customer(EMAIL)

    for path in ("/account", "/register/code", "/password/reset-sent"):
        assert_page(browser.open(path), 200)
        assert_page(site.browser().open(path), 200)


def test_every_field_has_a_label_an_autocomplete_value_and_no_placeholder(forms: dict[str, Page]) -> None:
    for name, page in forms.items():
        main = page.tree.one("main")
        expected = AUTOCOMPLETE[name]
        typed = [field for field in visible_fields(page) if field.get("type") != "checkbox"]
        assert {field.get("name"): field.get("autocomplete") for field in typed} == expected
        for field in visible_fields(page):
            assert main.one("label", for_=field.get("id")).text
            assert "placeholder" not in field.attributes
            assert "value" not in field.attributes or field.get("type") != "password"
        for field in typed:
            if field.get("name") == "email":
                assert field.get("type") == "email"
            if field.get("name") == "code":  # text, since a code may begin with 0 and comes pasted with spaces
                assert (field.get("type"), field.get("inputmode")) == ("text", "numeric")
                assert not {"maxlength", "pattern"} & field.attributes.keys()
            if field.get("name") in ("email", "password", "current_password", "code"):
                assert (field.get("autocapitalize"), field.get("spellcheck")) == ("none", "false")


def test_address_and_new_password_are_asked_for_once(forms: dict[str, Page]) -> None:
    for page in forms.values():
        names = [field.get("name") for field in visible_fields(page)]
        assert len(names) == len(set(names))
        for kind in ("email", "username", "new-password", "current-password"):
            assert len([field for field in visible_fields(page) if field.get("autocomplete") == kind]) <= 1


def test_new_password_forms_name_the_account_for_password_managers(forms: dict[str, Page]) -> None:
    for name in ("/account/password", "reset", "verify elsewhere"):
        main = forms[name].tree.one("main")
        helper = main.one("input", autocomplete="username")
        assert helper.get("value") == EMAIL
        assert "name" not in helper.attributes
        assert (helper.get("tabindex"), helper.get("aria-hidden")) == ("-1", "true")


def test_every_button_is_a_button_and_every_form_posts_a_csrf_token(forms: dict[str, Page]) -> None:
    for page in forms.values():
        for form in page.tree.all("form"):
            assert form.get("method") == "post"
            assert form.one("input", name="csrf_token").get("value")
            assert {button.get("type") for button in form.all("button")} == {"submit"}
            assert "novalidate" in form.attributes or {field.get("type") for field in form.all("input")} == {"hidden"}


def test_the_password_rule_is_shown_beforehand(forms: dict[str, Page]) -> None:
    for name in ("/register", "/account/password", "reset"):
        main = forms[name].tree.one("main")
        hint = main.one("input", autocomplete="new-password").get("aria-describedby")
        assert "At least 8 characters" in main.one("p", id=hint).text


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


def test_the_sign_out_button_stands_on_each_signed_in_page(site: Site) -> None:
    browser = site.customer(EMAIL)

    for path in ("/account", "/account/password"):
        assert browser.open(path).form("/logout").token
    refused = browser.fill("/account/password", submit_to="/account/password")
    assert refused.form("/logout").token


def test_a_notice_is_shown_once(site: Site) -> None:
    browser = site.customer(EMAIL)

    assert browser.open("/account").tree.one("p", role="status").text == "Your email address is confirmed. Welcome!"
    assert browser.open("/account").tree.all("p", role="status") == []


def test_what_is_wrong_with_a_field_names_it(site: Site) -> None:
    long = {"password": "x" * 300, "company_name": "x" * 256, "first_name": "a\x01b", "last_name": "L"}
    page = site.browser().fill("/register", {"email": EMAIL, **long})

    assert dict(page.problems) == {
        "password": "Password: use at most 256 characters.",
        "first_name": "First name: it contains a character that can't be used here. Please type it again.",
        "company_name": "Company: use at most 255 characters.",
    }


def test_an_expired_form_without_fields_says_so(site: Site) -> None:
    browser = site.customer(EMAIL)
    stale = browser.fill("/account", {"csrf_token": "x"}, submit_to="/logout")

    assert stale.status == 400
    assert stale.problems == [("", "Your session on this page expired. Please send the form again.")]
    assert "You're still signed in." in stale.words
    assert site.browser().post(stale.form(), {"csrf_token": "x"}).location == "/login"


def test_pages_after_an_email_say_how_long_it_works(start: Start) -> None:
    site = start(VERIFY_LIFETIME="3h 20m", MAGIC_LIFETIME="5m", RESET_LIFETIME="45m", EVENT_RETENTION="90d")
    customer = site.customer(EMAIL)
    customer.fill("/account/email", {"email": "ada.new@example.com"}, submit_to="/account/email")
    customer.fill("/reauthenticate", submit_to="/reauthenticate/email")
    assert "Both work for 3 hours 20 minutes." in customer.open("/account/email/code").words
    assert "The code works for 5 minutes." in customer.open("/reauthenticate/code").words
    assert "We keep it for 90 days." in customer.open("/account/activity").words

    for email in (EMAIL, "nobody@example.com"):  # the same, whether or not there is an account
        browser = site.browser()
        asked = browser.fill("/login/link", {"email": email})
        assert "Both work for 5 minutes." in browser.follow(asked).words
        assert "The link works for 45 minutes" in browser.follow(browser.ask_for_reset(email)).words
        assert "Both work for 3 hours 20 minutes." in browser.follow(browser.register(email, PASSWORD)).words


@pytest.mark.parametrize(
    ("path", "way_on", "words"),
    [("/login/code", "/login/link", "Sign in by email"), ("/register/code", "/register", "Create an account")],
)
def test_a_browser_that_requested_no_code_sees_no_field_but_a_way_on(
    site: Site, path: str, way_on: str, words: str
) -> None:
    page = site.browser().open(path)
    main = page.tree.one("main")
    assert main.one("h1").text == "Use the link in our email"
    assert "The link works in any browser." in page.words
    assert [(link.get("href"), link.text) for link in main.all("a")] == [(way_on, words)]
    assert all("hidden" in form.attributes for form in main.all("form"))
    refused = site.browser().fill(path, {"code": "000000"}, submit_to=path)  # programs find the form all the same
    assert (refused.status, [field for field, _ in refused.problems]) == (422, ["code"])
    assert [link.get("href") for link in refused.tree.one("main").all("a")] == [way_on]


def test_the_page_for_a_code_names_the_address(site: Site) -> None:
    browser = site.browser()
    assert "asks@example.com" in browser.follow(browser.fill("/login/link", {"email": "asks@example.com"})).words


def test_registration_says_what_happens_to_the_details(site: Site) -> None:
    assert "We keep your details in your account, where you can download or delete them" in (
        site.browser().open("/register").words
    )


def focused(page: Page) -> list[str]:
    """Return the fields that are focused when a page opens."""
    return [field.get("name") for field in page.tree.all("input") if "autofocus" in field.attributes]


def test_a_field_is_focused_only_where_nothing_must_be_read_before(site: Site, forms: dict[str, Page]) -> None:
    assert {name: focused(page) for name, page in forms.items() if focused(page)} == {
        "/login": ["email"],
        "/login/link": ["email"],
        "/register": ["first_name"],
        "/login/code": ["code"],
        "/password/reset": ["email"],
        "/register/code": ["code"],
        "/account/email": ["email"],
        "/account/email/code": ["code"],
        "reset": ["password"],
        "verify elsewhere": ["password"],
    }
    browser = site.browser()
    assert focused(browser.open("/login/code")) == []
    leaving = site.customer("leaves@example.com")
    assert focused(leaving.open("/reauthenticate")) == []  # which welcomes the new customer
    assert focused(leaving.open("/reauthenticate")) == ["password"]
    assert focused(leaving.follow(leaving.fill("/account", submit_to="/logout"))) == []


def test_a_single_wrong_field_is_focused_and_else_the_summary(
    failed: dict[str, tuple[Page, set[str]]],
) -> None:
    assert any(is_told_at_its_field(blamed) for _, blamed in failed.values())
    for name, (page, blamed) in failed.items():
        assert focused(page) == (list(blamed) if is_told_at_its_field(blamed) else []), name
