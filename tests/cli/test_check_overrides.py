"""`portal check`: the templates of an instance."""

from pathlib import Path

from tests.cli.conftest import Checked, Run


def test_templates_that_are_never_shown_or_fail_are_named(run: Run, checked: Checked, instance: Path) -> None:
    for name, text in {
        "base.html": "{% extends 'shipped:base.html' %}",
        "mail/_footer.txt": "{% include 'mail/mine.txt' %}",
        "mail/mine.txt": "Yours, the shop",
        "login/logn.html": "",
        "sklo/login/login.html": "",
        "mail/reset/body.txt": "\n{{ 1 / 0 }}",
        "register/register.html": "{{ form.nothing.at_all }}",
    }.items():
        path = instance / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outcome = checked.outcome()
    assert outcome.status == 1
    assert outcome.out.splitlines() == [
        f"INSTANCE_PATH: contains templates/{problem}"
        for problem in (
            "login/logn.html: the portal has no template of this name; rename or delete it",
            "sklo/login/login.html: there is no such organisation; rename or delete it",
            "mail/reset/body.txt line 2 (ZeroDivisionError): it fails, so the portal's own is shown; correct it",
            "register/register.html line 1 (UndefinedError): it fails, so the portal's own is shown; correct it",
        )
    ]


def test_a_template_that_cannot_be_read_is_named_in_one_line(run: Run, checked: Checked, instance: Path) -> None:
    assert checked.outcome().status == 0
    (instance / "templates").mkdir(parents=True)
    (instance / "templates" / "base.html").write_text("{% if %}")
    outcome = run("check")
    assert outcome.status == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith("Error: PORTAL_INSTANCE_PATH: contains templates/base.html, which cannot be used: line 1: ")
