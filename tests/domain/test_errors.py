"""Each failure is documented, worded in every language, and raised somewhere."""

import ast
from pathlib import Path

import pytest

from portal import domain
from portal.domain.errors import Busy, Failure, Refused
from portal.domain.messages import NN_

# Use case, code and message of the reference pages. Codes are typed on pages only.
# TOO_MANY_MAILS has no page; its endpoint always says success.
DOCUMENTED = {
    "LOGIN_FAILED": ("login", "E001", "Customer login failed."),
    "UNKNOWN_CONTACT": ("login", "E002", "Customer e-mail does not exist."),
    "NO_ACCOUNT": ("login", "E003", "Customer have not a registered account."),
    "WRONG_PASSWORD": ("login", "E004", "Wrong e-mail or password."),
    "BANNED": ("login", "E005", "Customer account has been banned."),
    "TOO_MANY_LOGINS": ("login", "E006", "Too many login attempts."),
    "PASSWORD_LOCKED": ("login", "E006", "Too many login attempts."),
    "UNVERIFIED": ("login", "E007", "Customer mail has not been authorized."),
    "REGISTRATION_FAILED": ("register-account", "E001", "Customer register failed."),
    "ALREADY_REGISTERED": ("register-account", "E002", "Customer has been registered."),
    "REGISTRATION_BANNED": ("register-account", "E003", "Customer account has been banned."),
    "TOO_MANY_REGISTRATIONS": ("register-account", "E004", "Too many registration attempts."),
    "ALREADY_CONFIRMED": ("register-account", "E001", "Customer register failed."),
    "REGISTRATION_DROPPED": ("register-account", "E001", "Customer register failed."),
    "PASSWORD_REFUSED": ("set-new-password", "E001", "Change password failed."),
    "PASSWORD_REUSED": (
        "set-new-password",
        "E002",
        "You have entered a previously used password. For security reasons, please enter a new and unique password.",
    ),
    "NO_SUCH_LINK": ("set-new-password", "E003", "Reset password request does not exist."),
    "LINK_ENDED": ("set-new-password", "E003", "Reset password request does not exist."),
    "LINK_EXPIRED": ("set-new-password", "E004", "Reset password request has been expired."),
    "WRONG_CODE": ("login", "E001", "Customer login failed."),
    "CODE_ENDED": ("login", "E001", "Customer login failed."),
    "TWO_STEP_REQUIRED": ("login", "E001", "Customer login failed."),
    "TWO_STEP_WRONG": ("login", "E001", "Customer login failed."),
    "TWO_STEP_SETUP_REQUIRED": ("login", "E001", "Customer login failed."),
    "PASSKEY_REFUSED": ("login", "E001", "Customer login failed."),
    "PASSKEY_EXPIRED": ("login", "E001", "Customer login failed."),
    "PASSKEY_NOT_ADDED": ("login", "E001", "Customer login failed."),
    "TOO_MANY_PASSKEYS": ("login", "E001", "Customer login failed."),
    "NO_SUCH_HANDOVER": ("redeem-handover", "E003", "Handover code does not exist."),
    "HANDOVER_EXPIRED": ("redeem-handover", "E004", "Handover code has been expired."),
    "TOO_MANY_MAILS": ("reset-password", "E001", "Too many mails."),
}
TOO_MANY_ATTEMPTS = ("TOO_MANY_LOGINS", "TOO_MANY_REGISTRATIONS")
# Failures that a visitor must not tell apart until the password was right.
LOOK_ALIKE = ("LOGIN_FAILED", "UNKNOWN_CONTACT", "NO_ACCOUNT", "WRONG_PASSWORD", "PASSWORD_LOCKED")


def test_every_failure_has_the_code_and_message_of_the_reference_pages() -> None:
    found = {failure.name: failure.value for failure in Failure}
    assert {name: (one.use_case, one.code, one.message) for name, one in found.items()} == DOCUMENTED


@pytest.mark.parametrize("failure", Failure)
def test_every_failure_message_is_a_sentence(failure: Failure) -> None:
    words = Refused(failure, retry_after=60).in_english
    assert words.endswith(".")
    assert words != failure.value.message


def test_failures_that_would_reveal_an_account_share_their_message() -> None:
    for alike in (LOOK_ALIKE, TOO_MANY_ATTEMPTS):
        assert len({Failure[name].value.words for name in alike}) == 1


def test_every_other_failure_has_its_own_message() -> None:
    others = [failure.value.words for failure in Failure if failure.name not in (*LOOK_ALIKE, *TOO_MANY_ATTEMPTS)]
    assert len(set(others)) == len(others)


def test_every_failure_is_raised_somewhere_in_the_domain() -> None:
    folder = Path(domain.__path__[0])
    used = {name for path in folder.rglob("*.py") if path.name != "errors.py" for name in failures_in(path)}
    assert used == {failure.name for failure in Failure}


def failures_in(path: Path) -> set[str]:
    """Return the failures that a module raises: names, except in comparisons."""
    tree = ast.parse(path.read_text("utf-8"))
    compared = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in ast.walk(node)}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Failure"
        and id(node) not in compared
    }


def test_a_refusal_names_its_failure_and_quotes_no_input() -> None:
    refusal = Refused(Failure.WRONG_PASSWORD, detail="Try again.", field="password", retry_after=3)
    assert str(refusal) == "WRONG_PASSWORD"
    assert (refusal.detail, refusal.values, refusal.field, refusal.retry_after) == (
        "Try again.",
        {"num": 1},
        "password",
        3,
    )
    assert Busy(2).retry_after == 2


@pytest.mark.parametrize(("number", "words"), [(1, "Use at most 1 character."), (2, "Use at most 2 characters.")])
def test_a_refusal_in_english_has_the_message_of_the_sources(number: int, words: str) -> None:
    plural = NN_("Use at most %(num)d character.", "Use at most %(num)d characters.")
    assert Refused(Failure.PASSWORD_REFUSED, detail=plural, values={"num": number}).in_english == words
    assert Refused(Failure.PASSWORD_REFUSED).in_english == "Please choose another password."


@pytest.mark.parametrize(("seconds", "minutes"), [(1, "1 minute"), (60, "1 minute"), (61, "2 minutes")])
def test_a_temporary_refusal_says_in_how_many_minutes_it_ends(seconds: int, minutes: str) -> None:
    refusal = Refused(Failure.TOO_MANY_LOGINS, retry_after=seconds)
    assert refusal.in_english == f"Too many attempts. Try again in {minutes}."
