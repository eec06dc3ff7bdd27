"""The markup of every page, for people, assistive technology and password managers."""

import pytest

from tests.web.browser import Page
from tests.web.conftest import PASSWORD, Site, Start
from tests.web.expectations import assert_page, focused, visible_fields

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
