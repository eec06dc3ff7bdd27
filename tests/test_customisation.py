"""An operator's own templates and translations, in place of the portal's."""

import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert

from portal import create_app
from portal.app import context_of
from portal.customisation import environment_of
from portal.domain.organisations import get_organisation
from portal.domain.outbox import Notice
from portal.mail.render import render
from portal.mail.sample import sample_mail
from portal.settings import WrongSetting, load_settings
from portal.storage.models import Organisation
from tests.test_templates import TEMPLATES

pytestmark = pytest.mark.on_sqlite
Start = Callable[[], Flask]


@pytest.fixture
def start(environ: Mapping[str, str]) -> Iterator[Start]:
    """Starts a portal with the present content of its instance folder."""
    apps: list[Flask] = []

    def start_one() -> Flask:
        apps.append(create_app(load_settings({**environ, "PORTAL_BASE_URL": "http://portal.localhost"})))
        return apps[-1]

    yield start_one
    for app in apps:
        context_of(app).hasher._pool.shutdown()
        context_of(app).database.engine.dispose()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a file into the instance."""

    def write_one(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    return write_one


Write = Callable[[str, str], None]


def page(app: Flask, path: str = "/login", host: str = "portal.localhost", **headers: str) -> str:
    answer = app.test_client().get(path, base_url=f"http://{host}", headers=headers)
    assert answer.status_code == 200
    return answer.text


def mail(app: Flask, slug: str = "default", notice: Notice = Notice.VERIFY, locale: str | None = "en") -> Any:
    context = context_of(app)
    with context.database.read() as connection:
        organisation = get_organisation(connection, slug)
    content = render(app, sample_mail(context, organisation, notice, locale)).as_bytes()
    return message_from_bytes(content, policy=default)


def add_sklo(app: Flask) -> None:
    values = {"slug": "sklo", "name": "Sklo", "hostname": "sklo.localhost", "created_at": context_of(app).clock()}
    with context_of(app).database.write() as connection:
        connection.execute(insert(Organisation).values(values))


def test_a_template_of_the_instance_is_shown_in_place_of_the_portals(start: Start, write: Write) -> None:
    write(
        "templates/login/login.html",
        "{% extends 'shipped:login/login.html' %}{% block main %}Ours{{ super() }}{% endblock %}",
    )
    write("templates/mail/verify/subject.txt", "Welcome to {{ organisation.name }}")
    write("templates/mail/_layout.html", "<p>{% block title %}{% endblock %} Ours</p>")
    app = start()
    assert "Ours" in page(app)
    assert 'name="password"' in page(app)
    assert "Ours" not in page(app, "/register")
    assert mail(app)["Subject"] == "Welcome to Customer portal"
    assert mail(app).get_body(("html",)).get_content().strip() == "<p>Confirm your email address Ours</p>"


def test_one_organisation_may_have_its_own(start: Start, write: Write) -> None:
    write("templates/sklo/base.html", "Sklo {% block main %}{% endblock %}")
    write("templates/base.html", "All {% block main %}{% endblock %}")
    write("templates/sklo/mail/verify/subject.txt", "Sklo speaking")
    app = start()
    add_sklo(app)
    for path in ("/login", "/register"):
        assert page(app, path).startswith("All ")
        assert page(app, path, "sklo.localhost").startswith("Sklo ")
    assert mail(app)["Subject"] == "Confirm your email address for Customer portal"
    assert mail(app, "sklo")["Subject"] == "Sklo speaking"


def test_translations_of_the_instance_override_the_portals(start: Start, write: Write) -> None:
    write(
        "translations/cs/LC_MESSAGES/messages.po", 'msgid "Sign in"\nmsgstr "Dovnitř"\n\nmsgid "Password"\nmsgstr ""\n'
    )
    write("translations/en/LC_MESSAGES/messages.po", 'msgid "Sign in"\nmsgstr "Come in"\n')
    write(
        "translations/de/LC_MESSAGES/messages.po",
        'msgid "%(num)d hour"\nmsgid_plural "%(num)d hours"\nmsgstr[0] "%(num)d Stunde"\nmsgstr[1] "%(num)d Stunden"\n',
    )
    app = start()
    assert "Come in" in page(app, Accept_Language="en")
    czech = page(app, Accept_Language="cs")
    assert "Dovnitř" in czech
    assert "Heslo" in czech
    assert "Potvrďte svou" in mail(app, locale="cs").get_body(("plain",)).get_content()
    assert "24 Stunden" in mail(app, locale="de").get_body(("plain",)).get_content()


def test_all_templates_may_be_copied_and_nothing_changes(start: Start, tmp_path: Path) -> None:
    def seen(app: Flask) -> list[str]:
        pages = [re.sub(r'value="[^"]+"', "", page(app, path)) for path in ("/login", "/register", "/password/reset")]
        return pages + [mail(app, notice=notice)["Subject"] for notice in Notice]

    before = seen(start())
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    after = start()
    assert environment_of(after).overrides
    assert seen(after) == before


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("templates/login/login.html", "{% if %}", "templates/login/login.html, which cannot be used: line 1: "),
        (
            "templates/sklo/base.html",
            "a\n{{ a|no_such_filter }}",
            "templates/sklo/base.html, which cannot be used: line 2: ",
        ),
        ("templates/base.html", "{% include 'gone.html' %}", "there is no template gone.html"),
        ("translations/cs/LC_MESSAGES/messages.po", 'msgid "a', "translations/cs/LC_MESSAGES/messages.po, which "),
        ("translations/xx-nowhere/LC_MESSAGES/messages.po", "", "translations/xx-nowhere, which is no language"),
        (
            "translations/cs/LC_MESSAGES/messages.po",
            'msgid "Help: %(address)s"\nmsgstr "Pomoc: %(adresa)s"\n',
            "line 1: the %(names)s are not those of the text that it translates",
        ),
    ],
)
def test_a_broken_template_prevents_the_start_and_is_named(
    start: Start, write: Write, name: str, text: str, problem: str
) -> None:
    write(name, text)
    with pytest.raises(WrongSetting, match="PORTAL_INSTANCE_PATH: contains ") as refused:
        start()
    assert problem in refused.value.message
    assert "\n" not in refused.value.message


def test_a_template_that_fails_to_render_is_logged_once_and_replaced_by_the_portals(
    start: Start, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write("templates/login/login.html", "\n{{ nothing.at.all }}")
    write("templates/mail/verify/body.html", "{{ 1 / 0 }}")
    app = start()
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            assert 'name="password"' in page(app)
            assert "Confirm email address" in mail(app).get_body(("html",)).get_content()
    assert [record.getMessage() for record in caplog.records] == [
        "templates/login/login.html line 2 (UndefinedError): fails; the portal's own template is shown",
        "templates/mail/verify/body.html line 1 (ZeroDivisionError): fails; the portal's own template is shown",
    ]
