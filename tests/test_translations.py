"""The catalogues are complete, up to date with the sources, and contain no markup."""

import re
import shutil
from io import BytesIO
from pathlib import Path

import click
import pytest
from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo

from portal.i18n import FOLDER, Language, Languages
from tests import catalogues

_PLACEHOLDER = re.compile(r"%\((\w+)\)([a-z])")
_LOOSE_WORD = re.compile(r"(?<!\w)[aikosuvz] ", re.IGNORECASE)
Key = str | tuple[str, ...]


def key(message: Message) -> Key:
    """The messages; the two forms of a plural are one."""
    return message.id if isinstance(message.id, str) else tuple(message.id)


def path_of(locale: str, folder: Path = FOLDER) -> Path:
    return folder / locale / "LC_MESSAGES" / "messages.po"


@pytest.fixture(scope="module")
def in_sources() -> set[Key]:
    return {key(message) for message in translated(catalogues.messages())}


@pytest.fixture(scope="module", params=sorted(path.parts[-3] for path in FOLDER.glob("*/LC_MESSAGES/messages.po")))
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return catalogues.read(path_of(request.param), request.param)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the catalogues."""
    return shutil.copytree(FOLDER, tmp_path / "translations")


def spoken(tag: str, folder: Path = FOLDER) -> Language:
    language = Languages(folder).find(tag)
    assert language is not None
    return language


def translated(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_czech_and_english_are_supported() -> None:
    spoken = [(language.tag, language.name, language.direction) for language in Languages()]
    assert spoken[0] == ("en", "English", "ltr")
    assert ("cs", "Čeština", "ltr") in spoken


def test_a_catalogue_has_each_message_of_the_sources_and_no_other(catalogue: Catalog, in_sources: set[Key]) -> None:
    """If this fails, run `make messages`, and translate the new messages."""
    found = {key(message) for message in translated(catalogue)}
    assert in_sources - found == set(), "missing"
    assert found - in_sources == set(), "no longer said"


def test_nothing_is_left_untranslated_or_unchecked(catalogue: Catalog) -> None:
    assert [message.id for message in translated(catalogue) if not all(catalogues.forms(message))] == []
    assert [message.id for message in translated(catalogue) if message.fuzzy] == []
    plurals = [message for message in translated(catalogue) if message.pluralizable]
    assert {len(catalogues.forms(message)) for message in plurals} == {catalogue.num_plurals}


def test_a_translation_has_the_placeholders_of_its_source(catalogue: Catalog) -> None:
    for message in translated(catalogue):
        wanted = sorted(_PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[1]))
        for form in catalogues.forms(message):
            assert sorted(_PLACEHOLDER.findall(form)) == wanted, form
            assert form.count("%") == len(wanted), form


def test_a_translation_brings_no_markup_and_no_white_space_of_its_own(catalogue: Catalog) -> None:
    """Jinja treats a translation as safe HTML."""
    for message in translated(catalogue):
        for form in catalogues.forms(message):
            assert not re.search(r"[<>&\n\t]|  ", form), form
            assert form == form.strip()


def test_the_compiled_catalogue_holds_what_is_translated(catalogue: Catalog) -> None:
    """If this fails, run `make messages`."""
    wanted = BytesIO()
    write_mo(wanted, catalogue)
    assert path_of(str(catalogue.locale)).with_suffix(".mo").read_bytes() == wanted.getvalue()


def test_every_plural_form_is_used() -> None:
    czech = spoken("cs").translations
    said = [czech.ungettext("%(num)d hour", "%(num)d hours", number) % {"num": number} for number in (1, 2, 4, 5, 24)]
    assert said == ["1 hodinu", "2 hodiny", "4 hodiny", "5 hodin", "24 hodin"]


def test_czech_ends_no_line_with_a_word_of_one_letter() -> None:
    """If this fails, put a no-break space (U+00A0) after each word of one letter of the translation."""
    czech = translated(catalogues.read(path_of("cs"), "cs"))
    assert [form for message in czech for form in catalogues.forms(message) if _LOOSE_WORD.search(form)] == []


def test_czech_keeps_the_word_for_email_whole_at_the_end_of_a_line() -> None:
    """If this fails, write it with a non-breaking hyphen (U+2011)."""
    czech = translated(catalogues.read(path_of("cs"), "cs"))
    assert [
        form for message in czech for form in catalogues.forms(message) if re.search("e-mail", form, re.IGNORECASE)
    ] == []


@pytest.mark.full
def test_a_fuzzy_translation_is_not_shown(own: Path) -> None:
    path = path_of("cs", own)
    path.write_text(path.read_text("utf-8").replace('msgid "Sign in"', '#, fuzzy\nmsgid "Sign in"'), "utf-8")
    assert spoken("cs", own).translations.ugettext("Sign in") == "Přihlásit se"
    catalogues.make("messages", own)
    assert spoken("cs", own).translations.ugettext("Sign in") == "Sign in"


@pytest.mark.full
def test_a_language_begins_with_every_message_and_keeps_what_is_translated(own: Path, in_sources: set[Key]) -> None:
    catalogues.make("language", own, LOCALE="pt-BR")
    path = path_of("pt_BR", own)
    begun = translated(catalogues.read(path, "pt_BR"))
    assert {key(message) for message in begun} == in_sources
    assert not any("".join(catalogues.forms(message)) for message in begun)
    assert spoken("pt-BR", own).translations.ugettext("Sign in") == "Sign in"
    path.write_text(path.read_text("utf-8").replace('msgid "Sign in"\nmsgstr ""', 'msgid "Sign in"\nmsgstr "Entrar"'))
    path.write_text(path.read_text("utf-8") + '\nmsgid "Never said"\nmsgstr "Nunca dito"\n', "utf-8")

    catalogues.make("language", own, LOCALE="pt-BR")
    assert "Never said" not in path.read_text("utf-8")
    assert [language.tag for language in Languages(own)] == ["en", "cs", "pt-BR"]
    assert spoken("pt-BR", own).translations.ugettext("Sign in") == "Entrar"


@pytest.mark.full
def test_a_catalogue_that_is_in_line_is_left_as_it_is(own: Path) -> None:
    catalogues.make("messages", own)
    assert path_of("cs", own).read_bytes() == path_of("cs").read_bytes()


def test_an_uncompiled_catalogue_is_reported_with_what_to_do(own: Path) -> None:
    compiled = path_of("cs", own).with_suffix(".mo")
    compiled.unlink()
    with pytest.raises(click.ClickException) as refused:
        Languages(own)
    assert refused.value.message == f"{compiled}: missing; run `make messages`, or install the project."
