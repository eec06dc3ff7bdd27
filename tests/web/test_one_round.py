"""One response names all errors of a form, including that of the password."""

import pytest

from tests.web.conftest import PASSWORD, Site

EMAIL = "ada@example.com"
WRONG = {"email": "", "first_name": "", "last_name": " ", "phone": "12", "company_name": "x" * 256}


@pytest.mark.parametrize("field", WRONG)
def test_a_weak_password_is_reported_together_with_other_wrong_fields(site: Site, field: str) -> None:
    typed = {"email": EMAIL, "password": "password1", "first_name": "Ada", "last_name": "Quill", field: WRONG[field]}
    page = site.browser().fill("/register", typed)

    assert page.status == 422
    assert {problem for problem, _ in page.problems} == {field, "password"}
    assert [name for name, _ in page.problems] == sorted((field, "password"), key=list(page.form().fields).index)
    assert "too easy to guess" in dict(page.problems)["password"]


def test_a_password_made_of_other_fields_is_reported_as_personal(site: Site) -> None:
    page = site.browser().register(EMAIL, "quill-quill", first_name="")

    assert "made of your name" in dict(page.problems)["password"]


def test_a_password_of_wrong_length_is_reported_once(site: Site) -> None:
    page = site.browser().register(EMAIL, "", first_name="")

    assert page.problems == [("first_name", "Enter your first name."), ("password", "Choose a password.")]


def test_a_good_password_beside_a_wrong_field_is_not_reported_but_asked_for_again(site: Site) -> None:
    page = site.browser().register(EMAIL, PASSWORD, phone="12")
    assert [name for name, _ in page.problems] == ["phone"]
    assert "Please enter it again." in page.words
    assert "Please enter it again." not in site.browser().register(EMAIL, "short", phone="12").words
    assert "Please enter it again." not in site.browser().open("/register").words


@pytest.mark.parametrize("current", ["", "five wrong geese"])
def test_a_password_change_reports_errors_of_both_passwords(site: Site, current: str) -> None:
    typed = {"current_password": current, "password": "ada.quill"}
    page = site.customer(EMAIL).fill("/account/password", typed, submit_to="/account/password")

    assert page.status == 422
    assert [name for name, _ in page.problems] == ["current_password", "password"]
    assert "too easy to guess" in page.problems[1][1]
    assert len(page.tree.all("p", class_="field-error")) == 2
