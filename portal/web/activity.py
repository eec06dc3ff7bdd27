"""The page with the events of a customer's account."""

from flask import Blueprint, render_template, request

from portal.app import current_context
from portal.domain.audit_log import EventKind
from portal.domain.errors import Failure
from portal.domain.messages import N_
from portal.domain.use_cases.list_activity import list_activity
from portal.i18n import translate
from portal.web import session
from portal.web.account_sessions import LARGEST_ID

pages = Blueprint("activity", __name__, url_prefix="/account/activity")

DONE: dict[EventKind, str] = {
    EventKind.SIGN_IN: N_("Signed in"),
    EventKind.SIGN_IN_REQUEST: N_("Sign-in email requested"),
    EventKind.SIGN_IN_BY_EMAIL: N_("Signed in by email"),
    EventKind.SIGN_IN_BY_PASSKEY: N_("Signed in with a passkey"),
    EventKind.MAGIC_AUTH: N_("Signed in through the shop or service"),
    EventKind.SIGN_OUT: N_("Signed out"),
    EventKind.SESSION_END: N_("Another session ended"),
    EventKind.SESSIONS_END: N_("All other sessions ended"),
    EventKind.SESSIONS_END_ALL: N_("All sessions ended by the shop or service"),
    EventKind.HANDOVER: N_("Signed in to the shop or service"),
    EventKind.REGISTER: N_("Registration with this email address"),
    EventKind.RESEND: N_("Confirmation email requested again"),
    EventKind.CONFIRM: N_("Email address confirmed"),
    EventKind.RESET_REQUEST: N_("Password reset email requested"),
    EventKind.RESET: N_("New password set by email link"),
    EventKind.PASSWORD_CHANGE: N_("Password changed"),
    EventKind.PASSWORD_SET: N_("Password set"),
    EventKind.REAUTHENTICATION_REQUEST: N_("Code requested to confirm it's you"),
    EventKind.REAUTHENTICATION: N_("Confirmed it's you"),
    EventKind.NOT_ME: N_("Reported by email link that it wasn't you; all sessions ended"),
    EventKind.SECOND_STEP_ASKED: N_("Sign-in begun, waiting for a code"),
    EventKind.RECOVERY_CODE: N_("Recovery code used"),
    EventKind.RECOVERY_CODES: N_("New recovery codes made"),
    EventKind.TWO_STEP_ON: N_("Two-step verification turned on"),
    EventKind.TWO_STEP_OFF: N_("Two-step verification turned off"),
    EventKind.TWO_STEP_RESET: N_("Two-step verification turned off by the shop or service"),
    EventKind.PASSKEY_ADD: N_("Passkey added"),
    EventKind.PASSKEY_RENAME: N_("Passkey renamed"),
    EventKind.PASSKEY_REMOVE: N_("Passkey removed"),
    EventKind.PASSKEY_COUNTER: N_("Passkey used that may have been copied"),
    EventKind.TRUST_END: N_("Codes asked for in every browser again"),
    EventKind.PROFILE_CHANGE: N_("Profile changed"),
    EventKind.EXPORT: N_("Copy of your data requested"),
    EventKind.CLOSE: N_("Account deletion requested"),
    EventKind.KEEP: N_("Account kept after all"),
    EventKind.ADDRESS_CHANGE_REQUEST: N_("Change of email address requested"),
    EventKind.ADDRESS_CHANGE_CANCEL: N_("Change of email address cancelled"),
    EventKind.ADDRESS_CHANGE: N_("Email address changed"),
    EventKind.ADDRESS_CHANGE_UNDO: N_("Change of email address undone"),
    EventKind.BAN: N_("Account closed by the shop or service"),
    EventKind.UNBAN: N_("Account reopened by the shop or service"),
}
"""The text of each kind of event that has a customer."""
REFUSED: dict[EventKind, str] = {
    EventKind.SIGN_IN: N_("Sign-in failed"),
    EventKind.SIGN_IN_BY_EMAIL: N_("Sign-in by email failed"),
    EventKind.SIGN_IN_BY_PASSKEY: N_("Sign-in with a passkey failed"),
    EventKind.PASSKEY_ADD: N_("Adding a passkey failed"),
    EventKind.MAGIC_AUTH: N_("Sign-in through the shop or service failed"),
    EventKind.CONFIRM: N_("Email confirmation failed"),
    EventKind.RESET: N_("Password reset failed"),
    EventKind.PASSWORD_CHANGE: N_("Password change failed"),
    EventKind.PASSWORD_SET: N_("Setting a password failed"),
    EventKind.REAUTHENTICATION: N_("Confirming it's you failed"),
    EventKind.NOT_ME: N_("Reporting that it wasn't you failed"),
    EventKind.KEEP: N_("Keeping the account failed"),
    EventKind.ADDRESS_CHANGE: N_("Changing the email address failed"),
    EventKind.ADDRESS_CHANGE_UNDO: N_("Undoing the change of email address failed"),
}
_WRONG_PASSWORD = N_("wrong password")
_TOO_MANY = N_("too many attempts")
_LINK_ENDED = N_("the link or code no longer worked")
_CLOSED = N_("the account is closed")
_UNCONFIRMED = N_("the email address is not confirmed")
REASONS: dict[Failure, str] = {
    Failure.WRONG_PASSWORD: _WRONG_PASSWORD,
    Failure.PASSWORD_LOCKED: N_("the password is locked until you set a new one or sign in by email"),
    Failure.ALREADY_CONFIRMED: N_("the email address was already confirmed"),
    Failure.NO_ACCOUNT: N_("there was no password yet"),
    Failure.TOO_MANY_LOGINS: _TOO_MANY,
    Failure.TOO_MANY_REGISTRATIONS: _TOO_MANY,
    Failure.TOO_MANY_MAILS: _TOO_MANY,
    Failure.BANNED: _CLOSED,
    Failure.REGISTRATION_BANNED: _CLOSED,
    Failure.ALREADY_REGISTERED: N_("the address already belongs to an account"),
    Failure.UNVERIFIED: _UNCONFIRMED,
    Failure.PASSWORD_REFUSED: N_("the new password was too short or too easy to guess"),
    Failure.PASSWORD_REUSED: N_("the new password had been used before"),
    Failure.LINK_ENDED: _LINK_ENDED,
    Failure.CODE_ENDED: _LINK_ENDED,
    Failure.REGISTRATION_DROPPED: _LINK_ENDED,
    Failure.LINK_EXPIRED: N_("the link had expired"),
    Failure.WRONG_CODE: N_("wrong code"),
    Failure.TWO_STEP_WRONG: N_("wrong code"),
    Failure.PASSKEY_REFUSED: N_("the passkey wasn't accepted"),
    Failure.PASSKEY_EXPIRED: N_("it took too long"),
    Failure.TOO_MANY_PASSKEYS: N_("there were too many passkeys"),
}
"""The text of each failure that says more than that the attempt was refused."""


@pages.app_template_global()
def event_words(kind: str, refusal: str | None) -> str:
    """Return the text of an event; one of another version of the portal has a general text."""
    if kind not in set(EventKind):
        return translate(N_("Other activity"))
    found = EventKind(kind)
    if refusal is None:
        return translate(DONE.get(found, N_("Other activity")))
    words = translate(REFUSED.get(found, N_("Attempt failed")))
    reason = REASONS.get(Failure[refusal]) if refusal in Failure.__members__ else None
    return f"{words}: {translate(reason)}" if reason else words


@pages.get("")
def index() -> str:
    """Show a page of events, the newest first."""
    before = request.args.get("before", type=int)
    if before is not None and not 0 < before <= LARGEST_ID:
        before = None
    activity = list_activity(current_context(), session.signed_in_customer(), before)
    return render_template("account/activity.html", activity=activity, is_first=before is None)
