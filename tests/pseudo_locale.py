"""A pseudo-locale: English with an accent on every letter, and two fifths longer.

Where its portal shows a plain letter, words have gone past gettext; where something is cut off or scrolls sideways,
other languages will not fit either. It goes by the name of Greek, whose dates have no plain letter. As a program, this
is the `portal` command of such a portal: python -m tests.pseudo_locale FOLDER serve ...
"""

import re
import sys
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo

from portal import i18n
from tests import catalogues

LOCALE = Locale("el")
_ACCENTED = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽåƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýž",
)
_PLACEHOLDER = re.compile(r"(%\(\w+\)[a-z])")


def pseudo(text: str) -> str:
    """Return a message in the pseudo-locale; placeholders stay."""
    parts = _PLACEHOLDER.split(text)
    return "".join(part if number % 2 else _spoken(part) for number, part in enumerate(parts))


def _spoken(text: str) -> str:
    return re.sub("[aeiouyAEIOUY]", r"\g<0>\g<0>", text).translate(_ACCENTED)


def write_catalogue(folder: Path) -> None:
    """Write its compiled catalogue into a folder."""
    catalogue = catalogues.messages()
    catalogue.locale = LOCALE
    for message in catalogue:
        if isinstance(message.id, str):
            message.string = pseudo(message.id)
        else:
            message.string = tuple(map(pseudo, message.id))
        message.flags.discard("fuzzy")
    path = folder / str(LOCALE) / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalogue)


if __name__ == "__main__":
    i18n.FOLDER = Path(sys.argv.pop(1))
    from portal.cli import main

    main()
