"""Find SpamAssassin, or install Debian's. `python -m tests.audit.spamassassin` always exits with 0: without
SpamAssassin its test is skipped by name.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.audit.tools import run
from tests.system_packages import apt_installs, say


@dataclass(frozen=True)
class Verdict:
    """The score of an email, and the rules that contribute to it."""

    score: float
    rules: str


def find_spamassassin() -> str | None:
    return shutil.which("spamassassin")


def main() -> None:
    """Print nothing if it is installed."""
    if find_spamassassin() is None and not (apt_installs("spamassassin") and find_spamassassin()):
        say("no SpamAssassin here, and none could be installed: its test is skipped by name")


def verdicts(mails: Iterable[Path], home: Path, *, without: Iterable[str]) -> list[Verdict]:
    """Return the results for emails in files, by the rules that need no network. No preferences or learnt data of this
    machine's users are used.
    """
    command = [
        *(find_spamassassin() or "spamassassin", "--local", "--test-mode", "--nocreate-prefs"),
        *("--prefspath=/dev/null", "--cf=use_bayes 0", *(f"--cf=score {rule} 0" for rule in without)),
    ]
    printed = run(*command, *mails, HOME=str(home))
    # One header for each email; its list of rules is folded.
    found = re.findall(r"(?m)^X-Spam-Status: \w+, score=(-?[\d.]+) required=[\d.]+ tests=([\w,\s]+?)\s+auto", printed)
    return [Verdict(float(score), re.sub(r"\s", "", rules)) for score, rules in found]


if __name__ == "__main__":
    main()
