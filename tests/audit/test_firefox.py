"""A new customer's journey in Firefox: every other browser test runs in Chromium."""

from pathlib import Path

import pytest

from tests.audit.firefox import find_firefox
from tests.audit.tools import NODE, run
from tests.cli.process import Served

JOURNEY = Path(__file__).with_name("firefox.mjs")
SCREENSHOTS = Path(__file__).resolve().parents[2] / ".screenshots"
HEADINGS = [
    "Sign in",
    "Create an account",
    "Check your email",
    "Confirm your email address for Customer portal",
    "Confirm your email address",
    "Ada Quill",
    "Change password",
    "Ada Quill",
    "Sign in",
    "Sign in",
    "Sign in",  # again, after a wrong password
    "Ada Quill",
    "Sign in",
    "Sign in",
    "Check your email",
    "Sign in to Customer portal",
    "Sign in",
    "Ada Quill",
    "Sign in",
    "Forgot your password?",
    "Check your email",
    "Set a new password for Customer portal",
    "Set a new password",
    "Ada Quill",
    "Profile",
    "Security",
    "Sessions",
    "Activity",
]
"""Return the heading of each page of the journey, opened emails in the local mailbox included."""


@pytest.mark.parametrize("scripts", ["with", "without"])
def test_the_journey_works_in_firefox(portal: Served, scripts: str) -> None:
    firefox = find_firefox()
    if firefox is None:
        pytest.skip("no Firefox here")
    SCREENSHOTS.mkdir(exist_ok=True)
    assert run(NODE, JOURNEY, portal.url, firefox, scripts, SCREENSHOTS).splitlines() == HEADINGS
