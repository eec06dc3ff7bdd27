"""All failures of the use cases, in one table.

Codes and messages are documented for shops' servers (docs/api.md); the words are shown on the portal's own pages.
Failures that an attacker must not be able to distinguish have the same words.
"""

from dataclasses import dataclass
from enum import Enum
from math import ceil

from portal.domain.messages import N_, NN_, Message, Plural


@dataclass(frozen=True)
class Wording:
    """The texts of a failure: code and message for a shop's server, words for the customer."""

    use_case: str
    code: str
    message: str
    words: Message
    detail: str | None = None
    """What a shop's server gets beside the code, where other failures have the same."""


_LOGIN_FAILED = N_("The email or password isn't right. Check both, or set a new password.")
TOO_MANY = NN_("Too many attempts. Try again in %(num)d minute.", "Too many attempts. Try again in %(num)d minutes.")


def _sign_in_failed(words: Message, detail: str | None = None) -> Wording:
    """Return the texts of a failure that a shop's server can distinguish from others only by its detail."""
    return Wording("login", "E001", "Customer login failed.", words, detail)


def _registration_failed(words: Message) -> Wording:
    return Wording("register-account", "E001", "Customer register failed.", words)


class Failure(Enum):
    """A reason for a refusal. The names are stable: events and logs contain them."""

    LOGIN_FAILED = _sign_in_failed(_LOGIN_FAILED)
    UNKNOWN_CONTACT = Wording("login", "E002", "Customer e-mail does not exist.", _LOGIN_FAILED)
    NO_ACCOUNT = Wording("login", "E003", "Customer have not a registered account.", _LOGIN_FAILED)
    WRONG_PASSWORD = Wording("login", "E004", "Wrong e-mail or password.", _LOGIN_FAILED)
    BANNED = Wording(
        "login",
        "E005",
        "Customer account has been banned.",
        N_("This account has been closed. Please contact the shop or service it belongs to."),
    )
    TOO_MANY_LOGINS = Wording("login", "E006", "Too many login attempts.", TOO_MANY)
    PASSWORD_LOCKED = Wording("login", "E006", "Too many login attempts.", _LOGIN_FAILED)
    """Too many consecutive wrong passwords. Pages word it as a wrong password, because it reveals an account."""
    UNVERIFIED = Wording(
        "login",
        "E007",
        "Customer mail has not been authorized.",
        N_(
            "Please confirm your email address first. Open the link in the email we sent you, or enter its code. We "
            "can also resend it."
        ),
    )

    TWO_STEP_REQUIRED = _sign_in_failed(N_("Enter a code from your authenticator app to sign in."), "two-step-required")
    TWO_STEP_WRONG = _sign_in_failed(
        N_(
            "This code isn't right, or it was used before. Enter the next one that your app shows. If that fails too, "
            "check that the time on your phone is set automatically."
        ),
        "two-step-wrong",
    )
    TWO_STEP_SETUP_REQUIRED = _sign_in_failed(N_("Set up two-step verification to sign in."), "two-step-setup-required")

    PASSKEY_REFUSED = _sign_in_failed(
        N_("We couldn't use this passkey. Try another one, or sign in with your password or by email.")
    )
    """Unknown, removed, of another customer or organisation, or with a wrong signature: all alike."""
    PASSKEY_EXPIRED = _sign_in_failed(
        N_("That took too long, or was done in another tab. Please try your passkey again.")
    )
    PASSKEY_NOT_ADDED = _sign_in_failed(
        N_("We couldn't add this passkey. Try again, or save it in another place, such as your phone.")
    )
    TOO_MANY_PASSKEYS = _sign_in_failed(
        N_("You have as many passkeys as an account can have. Remove one that you don't use, then add a new one.")
    )

    REGISTRATION_FAILED = _registration_failed(
        N_("We couldn't create the account. Check what you entered and try again.")
    )
    ALREADY_REGISTERED = Wording(
        "register-account",
        "E002",
        "Customer has been registered.",
        N_("There's already an account with this address. Please sign in, or set a new password."),
    )
    REGISTRATION_BANNED = Wording(
        "register-account",
        "E003",
        "Customer account has been banned.",
        N_("The account with this address has been closed. Please contact the shop or service it was for."),
    )
    TOO_MANY_REGISTRATIONS = Wording("register-account", "E004", "Too many registration attempts.", TOO_MANY)

    REGISTRATION_DROPPED = _registration_failed(
        N_("Your email address was confirmed in another way, so what was entered at registration was not saved.")
    )

    ALREADY_CONFIRMED = _registration_failed(N_("There is nothing more to confirm. This address is ready to use."))

    PASSWORD_REFUSED = Wording(
        "set-new-password", "E001", "Change password failed.", N_("Please choose another password.")
    )
    PASSWORD_REUSED = Wording(
        "set-new-password",
        "E002",
        "You have entered a previously used password. For security reasons, please enter a new and unique password.",
        N_("You've used this password before. Please choose a new one."),
    )
    NO_SUCH_LINK = Wording(
        "set-new-password",
        "E003",
        "Reset password request does not exist.",
        N_("This isn't one of our links, or part of it is missing. Copy all of it, or ask for a new one."),
    )
    LINK_ENDED = Wording(
        "set-new-password",
        "E003",
        "Reset password request does not exist.",
        N_("It was cancelled, for example because another link was used or the password was changed."),
    )
    LINK_EXPIRED = Wording(
        "set-new-password",
        "E004",
        "Reset password request has been expired.",
        N_("The links in our emails only work for a short time. Please ask for a new one."),
    )
    WRONG_CODE = _sign_in_failed(N_("This code doesn't work. Check it, or open the link in the same email instead."))
    CODE_ENDED = _sign_in_failed(
        N_("This code can't be used any more. If the link in the same email doesn't work either, ask for a new email.")
    )
    NO_SUCH_HANDOVER = Wording(
        "redeem-handover",
        "E003",
        "Handover code does not exist.",
        N_("This sign-in can't be continued. Please sign in again."),
    )
    HANDOVER_EXPIRED = Wording(
        "redeem-handover",
        "E004",
        "Handover code has been expired.",
        N_("This sign-in took too long. Please sign in again."),
    )
    TOO_MANY_MAILS = Wording(
        "reset-password",
        "E001",
        "Too many mails.",
        NN_(
            "You've asked for too many emails. Check your inbox and spam folder, or try again in %(num)d minute.",
            "You've asked for too many emails. Check your inbox and spam folder, or try again in %(num)d minutes.",
        ),
    )


def failures_of(use_case: str) -> tuple[Failure, ...]:
    return tuple(failure for failure in Failure if failure.value.use_case == use_case)


def minutes(seconds: int) -> int:
    """Return how many whole minutes to wait, as messages say it."""
    return ceil(seconds / 60)


class Refused(Exception):
    """A use case refused a request.

    `detail` is a message that is more precise than the failure's words, with `values` to fill in; `field` is the form
    field that it is about; `retry_after` is the number of seconds to wait before the next attempt, which the words say
    in minutes; `also` is the problem of another field of the same form.
    """

    def __init__(
        self,
        failure: Failure,
        *,
        detail: Message | None = None,
        values: dict[str, int] | None = None,
        field: str | None = None,
        retry_after: int | None = None,
        also: "Refused | None" = None,
    ) -> None:
        super().__init__(failure.name)
        self.failure = failure
        self.detail = detail
        self.values = values or ({} if retry_after is None else {"num": minutes(retry_after)})
        self.field = field
        self.retry_after = retry_after
        self.also = also

    @property
    def message(self) -> Message:
        """What it says to people, to be filled in with `values`."""
        return self.detail or self.failure.value.words

    @property
    def in_english(self) -> str:
        """The message in English, for operators and programs; pages translate it."""
        message = self.message
        if isinstance(message, Plural):
            message = message.singular if self.values["num"] == 1 else message.plural
        return message % self.values if self.values else message


class Busy(Exception):
    """The queue of the hashing threads is full. Nothing was changed; try again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many passwords are being hashed")
        self.retry_after = retry_after
