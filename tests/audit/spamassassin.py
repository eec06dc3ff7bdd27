"""Makes sure that there is a SpamAssassin to ask.

``python -m tests.audit.spamassassin`` looks for one and installs Debian's package if it can. It always ends with status
0: where none can be had, as for who is not root, its test is skipped by name and the other audits still run.
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
    """How much a mail looks like spam, and by which rules."""

    score: float
    rules: str


def find_spamassassin() -> str | None:
    return shutil.which("spamassassin")


def main() -> None:
    """Say nothing when there is one."""
    if find_spamassassin() is None and not (apt_installs("spamassassin") and find_spamassassin()):
        say("no SpamAssassin here, and none could be installed: its test is skipped by name")


def verdicts(mails: Iterable[Path], home: Path, *, without: Iterable[str]) -> list[Verdict]:
    """What it says of mails in files, in their order, by the rules that need no network.

    Nothing of this machine's users counts: no preferences, and nothing that it has learnt.
    """
    command = [
        *(find_spamassassin() or "spamassassin", "--local", "--test-mode", "--nocreate-prefs"),
        *("--prefspath=/dev/null", "--cf=use_bayes 0", *(f"--cf=score {rule} 0" for rule in without)),
    ]
    printed = run(*command, *mails, HOME=str(home))
    # One header a mail; its list of rules is folded.
    found = re.findall(r"(?m)^X-Spam-Status: \w+, score=(-?[\d.]+) required=[\d.]+ tests=([\w,\s]+?)\s+auto", printed)
    return [Verdict(float(score), re.sub(r"\s", "", rules)) for score, rules in found]


if __name__ == "__main__":
    main()
