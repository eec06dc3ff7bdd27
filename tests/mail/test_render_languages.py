"""Emails in the language of their recipient."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from portal import i18n
from portal.domain.outbox import Notice
from portal.i18n import duration_text, speaking
from tests import pseudo_locale
from tests.mail.conftest import OpenOffice, Rendered, text_of
from tests.mail.mail_portal import ADA
from tests.web.html import read

pytestmark = pytest.mark.on_sqlite


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        (None, "en"),
        ("en", "en"),
        ("en-GB", "en"),
        ("cs", "cs"),
        ("cs-CZ", "cs"),
        ("xx", "en"),
        ("zz-zz-zz-zz", "en"),
        ("../..", "en"),
        ("\0", "en"),
    ],
)
def test_every_language_tag_gives_a_mail_in_a_supported_language(
    open_office: OpenOffice, rendered: Rendered, locale: str | None, language: str
) -> None:
    assert rendered(open_office(), locale=locale)["Content-Language"] == language


def test_all_parts_of_a_mail_are_in_its_recipients_language(open_office: OpenOffice, rendered: Rendered) -> None:
    mail = rendered(open_office(), ADA, Notice.RESET, locale="cs")
    html = mail.get_body(("html",))
    assert html is not None
    assert mail["Subject"] == "Nové heslo k účtu Customer portal"
    for part in (text_of(mail), str(html.get_content())):
        assert "Odkaz funguje jednou a platí 30 minut." in " ".join(part.split())
    assert '<html lang="cs" dir="ltr">' in str(html.get_content())


@pytest.mark.parametrize("notice", Notice)
def test_every_text_in_a_mail_is_translatable(
    open_office: OpenOffice, rendered: Rendered, notice: Notice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pseudo_locale.write_catalogue(tmp_path)
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    mail = rendered(open_office(), ADA, notice, locale="el")
    html = mail.get_body(("html",))
    assert html is not None
    tree, faults = read(str(html.get_content()))
    assert faults == []
    parts = [mail["Subject"], text_of(mail), tree.one("body").text, tree.one("title").text]
    data = re.compile(r"https?://\S+|\S+@\S+|Customer portal|UTC")
    assert [part for part in parts if re.search("[A-Za-z]", data.sub("", " ".join(part.split())))] == []


def test_a_date_is_formatted_for_the_language(open_office: OpenOffice, rendered: Rendered) -> None:
    assert "1. března 2026 12:00 UTC" in " ".join(text_of(rendered(open_office(), locale="cs")).split())


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(hours=24), "24 hours"),
        (timedelta(minutes=30), "30 minutes"),
        (timedelta(hours=3, minutes=20), "3 hours 20 minutes"),
        (timedelta(hours=1, minutes=1), "1 hour 1 minute"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=7, hours=1), "7 days 1 hour"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(seconds=60), "1 minute"),
    ],
)
def test_a_lifetime_is_formatted_in_words(open_office: OpenOffice, duration: timedelta, words: str) -> None:
    with speaking(open_office().app, "en"):
        assert duration_text(duration) == words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(hours=3, minutes=20), "3 hodiny 20 minut"),
        (timedelta(hours=1, minutes=1), "1 hodinu 1 minutu"),
        (timedelta(days=7), "7 dní"),
    ],
)
def test_a_lifetime_is_formatted_in_czech_words(open_office: OpenOffice, duration: timedelta, words: str) -> None:
    with speaking(open_office().app, "cs"):
        assert duration_text(duration) == words
