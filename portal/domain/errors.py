"""Everything the portal refuses, in one table.

The codes and messages are those of the reference pages (shop servers read them); the words are what people read on the
portal's own pages. Failures that a stranger may not tell apart share their words.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from portal.domain.messages import N_, Message, Plural


@dataclass(frozen=True)
class Wording:
    """How one failure is told: to a shop's server by code and message, to people in words."""

    use_case: str
    code: str
    message: str
    words: str


_LOGIN_FAILED = N_("The e-mail or the password is not right. Check both, or set a new password by mail.")
_TOO_MANY = N_("Too many tries. Wait a while and try again, or set a new password by mail.")
_REUSED = N_("You have used this password before. Please choose one that you have never used here.")


class Failure(Enum):
    """What can be refused. The names are the portal's own, stable, and stand in events and logs."""

    LOGIN_FAILED = Wording("login", "E001", "Customer login failed.", _LOGIN_FAILED)
    UNKNOWN_CONTACT = Wording("login", "E002", "Customer e-mail does not exist.", _LOGIN_FAILED)
    NO_ACCOUNT = Wording("login", "E003", "Customer have not a registered account.", _LOGIN_FAILED)
    WRONG_PASSWORD = Wording("login", "E004", "Wrong e-mail or password.", _LOGIN_FAILED)
    BANNED = Wording(
        "login",
        "E005",
        "Customer account has been banned.",
        N_("This account has been closed. Please ask the shop or service that you use it with."),
    )
    TOO_MANY_LOGINS = Wording("login", "E006", "Too many login attempts.", _TOO_MANY)
    PASSWORD_LOCKED = Wording("login", "E006", "Too many login attempts.", _LOGIN_FAILED)
    """Too many wrong passwords in a row, ever: told to strangers as a wrong password, since it tells of an account."""
    UNVERIFIED = Wording(
        "login",
        "E007",
        "Customer mail has not been authorized.",
        N_("Your address is not confirmed yet. Open the link in the mail that we sent you, or have it sent again."),
    )

    REGISTRATION_FAILED = Wording(
        "register-account",
        "E001",
        "Customer register failed.",
        N_("We could not create the account. Check what you typed and try again."),
    )
    ALREADY_REGISTERED = Wording(
        "register-account",
        "E002",
        "Customer has been registered.",
        N_("There is an account with this address already. Please sign in, or set a new password by mail."),
    )
    REGISTRATION_BANNED = Wording(
        "register-account",
        "E003",
        "Customer account has been banned.",
        N_("The account with this address has been closed. Please ask the shop or service that it was for."),
    )
    TOO_MANY_REGISTRATIONS = Wording(
        "register-account",
        "E004",
        "Too many registration attempts.",
        N_("Too many registrations came from here or for this address. Wait a while and try again."),
    )

    REGISTRATION_DROPPED = Wording(
        "register-account",
        "E001",
        "Customer register failed.",
        N_(
            "Your email address was confirmed in another way, so the password chosen at registration was not saved. "
            "Sign in by email, or set a new password."
        ),
    )

    PASSWORD_REFUSED = Wording(
        "set-new-password", "E001", "Change password failed.", N_("Please choose another password.")
    )
    PASSWORD_REUSED = Wording(
        "set-new-password",
        "E002",
        "You have entered a previously used password. For security reasons, please enter a new and unique password.",
        _REUSED,
    )
    NO_SUCH_LINK = Wording(
        "set-new-password",
        "E003",
        "Reset password request does not exist.",
        N_("This is not one of our links, or only a part of one. Copy all of it from the mail, or ask for a new one."),
    )
    LINK_ENDED = Wording(
        "set-new-password",
        "E003",
        "Reset password request does not exist.",
        N_("This link has been used already, or a newer link or a change of password has ended it."),
    )
    LINK_EXPIRED = Wording(
        "set-new-password",
        "E004",
        "Reset password request has been expired.",
        N_("Links in mails work for a short time only, and this one is too old. Please ask for a new one."),
    )
    WRONG_CODE = Wording(
        "login",
        "E001",
        "Customer login failed.",
        N_("This code doesn't work. Check it, or open the link in the same email instead."),
    )
    CODE_ENDED = Wording(
        "login",
        "E001",
        "Customer login failed.",
        N_("This code cannot be used any more. Open the link in the mail, or ask for a new mail."),
    )
    NO_SUCH_HANDOVER = Wording(
        "redeem-handover",
        "E003",
        "Handover code does not exist.",
        N_("This sign-in cannot be taken over. Sign in again."),
    )
    HANDOVER_EXPIRED = Wording(
        "redeem-handover",
        "E004",
        "Handover code has been expired.",
        N_("This sign-in was taken over too late. Sign in again."),
    )
    TOO_MANY_MAILS = Wording(
        "reset-password",
        "E001",
        "Too many mails.",
        N_("Too many mails were asked for. Look into your mailbox, also among spam, or try again later."),
    )


def failures_of(use_case: str) -> tuple[Failure, ...]:
    """Return the failures that a use case has codes for."""
    return tuple(failure for failure in Failure if failure.value.use_case == use_case)


class Refused(Exception):
    """The domain says no.

    `detail` is a message that says more than the failure's own words, with `values` to
    fill in; `field` is the form field it is about; `retry_after` are the seconds after which another try is worth it;
    `registration` is the public id of the one whose password was right, when its address is unverified.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        detail: Message | None = None,
        values: dict[str, Any] | None = None,
        field: str | None = None,
        retry_after: int | None = None,
        registration: str | None = None,
    ) -> None:
        super().__init__(failure.name)
        self.failure = failure
        self.detail = detail
        self.values = values or {}
        self.field = field
        self.retry_after = retry_after
        self.registration = registration

    @property
    def in_english(self) -> str:
        """What it says, for operators and programs; pages say it in their own language."""
        message = self.detail or self.failure.value.words
        if isinstance(message, Plural):
            message = message.singular if self.values["num"] == 1 else message.plural
        return message % self.values if self.values else message


class Busy(Exception):
    """More work is waiting than will be done soon. Nothing was changed; try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many passwords are being checked")
        self.retry_after = retry_after
