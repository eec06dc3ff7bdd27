"""The catalogues: whole, in line with the sources, and nothing in them but words."""

import re
from pathlib import Path

import pytest
from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.pofile import read_po
from babel.support import NullTranslations

from portal.languages import Languages
from portal.translations import FOLDER, locales, read, sources

_PLACEHOLDER = re.compile(r"%\((\w+)\)([a-z])")
_LOOSE_WORD = re.compile(r"(?<!\w)[aikosuvz] ", re.IGNORECASE)
Key = str | tuple[str, ...]


def key(message: Message) -> Key:
    """What is looked up; a plural's two forms go together."""
    return message.id if isinstance(message.id, str) else tuple(message.id)


@pytest.fixture(scope="module")
def in_sources() -> set[Key]:
    return {key(message) for message in sources.messages() if message.id}


@pytest.fixture(scope="module", params=locales(), ids=str)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    with (FOLDER / f"{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def translated(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_there_is_czech_beside_english() -> None:
    spoken = [(language.tag, language.name, language.direction) for language in Languages()]
    assert spoken[0] == ("en", "English", "ltr")
    assert ("cs", "Čeština", "ltr") in spoken


def test_a_catalogue_has_each_message_of_the_sources_and_no_other(catalogue: Catalog, in_sources: set[Key]) -> None:
    """Where this fails, run `make messages`, and translate what is new."""
    found = {key(message) for message in translated(catalogue)}
    assert in_sources - found == set(), "missing"
    assert found - in_sources == set(), "no longer said"


def test_nothing_is_left_untranslated_or_unchecked(catalogue: Catalog) -> None:
    assert [message.id for message in translated(catalogue) if not all(sources.forms(message))] == []
    assert [message.id for message in translated(catalogue) if message.fuzzy] == []
    plurals = [message for message in translated(catalogue) if message.pluralizable]
    assert {len(sources.forms(message)) for message in plurals} == {catalogue.num_plurals}


def test_a_translation_has_the_placeholders_of_its_source(catalogue: Catalog) -> None:
    for message in translated(catalogue):
        wanted = sorted(_PLACEHOLDER.findall(message.id if isinstance(message.id, str) else message.id[1]))
        for form in sources.forms(message):
            assert sorted(_PLACEHOLDER.findall(form)) == wanted, form
            assert form.count("%") == len(wanted), form


def test_a_translation_brings_no_markup_and_no_white_space_of_its_own(catalogue: Catalog) -> None:
    """Jinja takes a translation for safe HTML."""
    for message in translated(catalogue):
        for form in sources.forms(message):
            assert not re.search(r"[<>&\n\t]|  ", form), form
            assert form == form.strip()


def test_every_form_of_a_plural_is_spoken() -> None:
    czech = read(Locale("cs"))
    said = [czech.ungettext("%(num)d hour", "%(num)d hours", number) % {"num": number} for number in (1, 2, 4, 5, 24)]
    assert said == ["1 hodinu", "2 hodiny", "4 hodiny", "5 hodin", "24 hodin"]


def test_czech_ends_no_line_with_a_word_of_one_letter() -> None:
    """Where this fails, put a no-break space (U+00A0) after each word of one letter of the translation."""
    with (FOLDER / "cs.po").open("rb") as file:
        czech = read_po(file, locale="cs", abort_invalid=True)
    assert [form for message in translated(czech) for form in sources.forms(message) if _LOOSE_WORD.search(form)] == []


def test_a_fuzzy_translation_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "de.po").write_text('#, fuzzy\nmsgid "Sign in"\nmsgstr "Abmelden"\n', "utf-8")
    german = read(Locale("de"), tmp_path)
    assert isinstance(german, NullTranslations)
    assert german.ugettext("Sign in") == "Sign in"


def test_a_language_begins_with_every_message_and_keeps_what_is_translated(tmp_path: Path) -> None:
    ((path, waiting),) = sources.refresh(Locale("pt", "BR"), tmp_path)
    assert path.name == "pt_BR.po"
    assert waiting == len({message.id for message in sources.messages()}) - 1
    path.write_text(path.read_text("utf-8").replace('msgid "Sign in"\nmsgstr ""', 'msgid "Sign in"\nmsgstr "Entrar"'))
    path.write_text(path.read_text("utf-8") + '\nmsgid "Never said"\nmsgstr "Nunca dito"\n', "utf-8")

    assert sources.refresh(None, tmp_path) == [(path, waiting - 1)]
    assert "Never said" not in path.read_text("utf-8")
    assert [language.tag for language in Languages(tmp_path)] == ["en", "pt-BR"]
    language = Languages(tmp_path).nearest("pt-BR")
    assert language is not None
    assert language.translations.ugettext("Sign in") == "Entrar"


def test_a_catalogue_that_is_in_line_is_left_as_it_is(tmp_path: Path) -> None:
    before = (FOLDER / "cs.po").read_bytes()
    (tmp_path / "cs.po").write_bytes(before)
    assert sources.refresh(None, tmp_path) == [(tmp_path / "cs.po", 0)]
    assert (tmp_path / "cs.po").read_bytes() == before
