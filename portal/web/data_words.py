"""Format a customer's exported data for a page: in sections, with labels, in the language of the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from portal.domain.contact_details import TEXT_FIELDS, api_name
from portal.domain.identities import Channel
from portal.domain.messages import N_
from portal.domain.outbox import MailState, Notice
from portal.domain.tokens import Purpose
from portal.i18n import translate
from portal.web.activity import event_words
from portal.web.profile import field_text
from portal.web.profile_forms import PROFILE_ORDER, field_label
from portal.web.wording import browser, moment

Field = tuple[str, str]
"""A label and a value."""

_IP = N_("IP address")
_ENDED = N_("Ended")
_EMAIL = N_("Email address")
_REASON = N_("Reason")
_WRONG_PASSWORDS = N_("Wrong passwords in a row")
LABELS: Mapping[str, str] = {
    "cuRefNo": N_("Customer reference"),
    "email": _EMAIL,
    "name": N_("Name"),
    "newsletter": N_("Newsletter"),
    "customerRealIp": N_("IP address at registration"),
    "groups": N_("Groups"),
    "referralId": N_("Recommended by customer"),
    "referral": N_("Recommended by customer"),
    "customersReferred": N_("Customers you recommended us to"),
    "createdAt": N_("Created"),
    "confirmedAt": N_("Email address confirmed"),
    "provenAt": N_("First used a link or code from an email"),
    "failedPasswords": _WRONG_PASSWORDS,
    "failedCodes": N_("Wrong codes in a row"),
    "bannedAt": N_("Closed by the shop or service"),
    "bannedUntil": N_("Closed until"),
    "banReason": _REASON,
    "eraseAt": N_("To be erased"),
    "passwordSetAt": N_("Password set"),
    "retiredAt": N_("Replaced"),
    "oldEmail": N_("Former email address"),
    "newEmail": N_("New email address"),
    "requestedAt": N_("Requested"),
    "changedAt": N_("Changed"),
    "returnUrl": N_("Page to return to"),
    "purpose": N_("Purpose"),
    "codeTries": N_("Attempts to enter the code"),
    "expiresAt": N_("Expires"),
    "usedAt": N_("Used"),
    "endedAt": _ENDED,
    "remember": N_("Kept signed in"),
    "ip": _IP,
    "userAgent": N_("Browser"),
    "channel": N_("Where"),
    "provedAt": N_("Last confirmed it's you"),
    "secondStepAt": N_("Last passed two-step verification"),
    "aaguid": N_("Kind of authenticator"),
    "transports": N_("Connected by"),
    "isSynced": N_("Saved on several devices"),
    "lastUsedAt": N_("Last used"),
    "trustedUntil": N_("No code asked for until"),
    "seenAt": N_("Last used"),
    "occurredAt": N_("Time"),
    "kind": N_("What happened"),
    "requestId": N_("Reference"),
    "notice": N_("Email"),
    "recipient": N_("To"),
    "messageId": N_("Message ID"),
    "state": N_("State"),
    "attempts": N_("Failed attempts"),
    "reason": _REASON,
    "dueAt": N_("Due"),
    "finishedAt": N_("Finished"),
}
"""The labels of the exported fields, except those of the profile."""
_LABELS_IN_SECTION: Mapping[tuple[str, str], str] = {("passkeys", "name"): N_("Name of the passkey")}
"""The labels of fields whose name means something else in a section."""
NOT_SHOWN = frozenset({"organisation", "refusal", "details"})
"""Fields without a line: the heading names the organisation, the text of an event has its refusal, and the activity has
the sign-ins that an email lists.
"""
_NUMBERS = frozenset({"aaguid", "cuRefNo", "referralId", "referral", "requestId", "messageId"})
"""Identifiers: never translated, and selected as a whole with one click."""
_PROFILE = {api_name(name): name for name in (*TEXT_FIELDS, "newsletter")}
_SECTIONS: Mapping[str, str] = {
    "account": N_("Password"),
    "formerPasswords": N_("Former passwords"),
    "registrations": N_("Registrations"),
    "addressChanges": N_("Changes of email address"),
    "identities": N_("Sessions, current and ended"),
    "handovers": N_("Sign-ins at the shop or service"),
    "devices": N_("Known browsers"),
    "secondStep": N_("Two-step verification"),
    "recoveryCodes": N_("Recovery codes"),
    "passkeys": N_("Passkeys"),
    "pendingSignIns": N_("Sign-ins that wait for a code"),
    "events": N_("Activity"),
    "mails": N_("Emails"),
    "links": N_("Links and codes in emails"),
}
_CONFIRM = N_("Confirm your email address")
_SIGN_IN = N_("Sign in")
_NEW_PASSWORD = N_("Set a new password")
_CONFIRM_YOU = N_("Confirm it's you")
_KEEP = N_("Keep your account")
_NEW_ADDRESS = N_("Confirm your new email address")
_VALUES: Mapping[str, Mapping[str, str]] = {
    "purpose": {
        Purpose.VERIFY: _CONFIRM,
        Purpose.RESET: _NEW_PASSWORD,
        Purpose.SIGN_IN: _SIGN_IN,
        Purpose.REAUTHENTICATE: _CONFIRM_YOU,
        Purpose.KEEP: _KEEP,
        Purpose.ADDRESS_CHANGE: _NEW_ADDRESS,
        Purpose.ADDRESS_UNDO: N_("Undo the change of email address"),
        Purpose.NOT_ME: N_("This wasn't me"),
    },
    "notice": {
        Notice.VERIFY: _CONFIRM,
        Notice.ACCOUNT_EXISTS: N_("You already have an account"),
        Notice.RESET: _NEW_PASSWORD,
        Notice.SIGN_IN: _SIGN_IN,
        Notice.REAUTHENTICATE: _CONFIRM_YOU,
        Notice.PASSWORD_CHANGED: N_("Your password was changed"),
        Notice.PASSWORD_SET: N_("A password was set for your account"),
        Notice.NEW_SIGN_IN: N_("New sign-in to your account"),
        Notice.SESSIONS_ENDED: N_("You were signed out on your other devices"),
        Notice.ALL_SESSIONS_ENDED: N_("You were signed out everywhere"),
        Notice.BANNED: N_("Your account was closed"),
        Notice.UNBANNED: N_("Your account is open again"),
        Notice.TWO_STEP_ON: N_("Two-step verification is on"),
        Notice.TWO_STEP_OFF: N_("Two-step verification is off"),
        Notice.TWO_STEP_RESET: N_("We turned two-step verification off"),
        Notice.RECOVERY_CODE_USED: N_("A recovery code was used"),
        Notice.PASSKEY_ADDED: N_("A passkey was added"),
        Notice.PASSKEY_REMOVED: N_("A passkey was removed"),
        Notice.CLOSED: N_("Your account is closed"),
        Notice.KEEP: _KEEP,
        Notice.ADDRESS_CHANGE: _NEW_ADDRESS,
        Notice.ADDRESS_IN_USE: N_("This address already has an account"),
        Notice.ADDRESS_REQUESTED: N_("New email address requested"),
        Notice.ADDRESS_CHANGED: N_("Email address changed"),
        Notice.ADDRESS_RESTORED: N_("Your former email address is back"),
        Notice.ADDRESS_UNDONE: N_("Change of email address undone"),
    },
    "state": {
        MailState.QUEUED: N_("Waiting"),
        MailState.SENT: N_("Sent"),
        MailState.DEAD: N_("Not delivered"),
        MailState.EXPIRED: N_("Not needed any more"),
        MailState.DECOY: N_("Not sent"),
    },
    "channel": {
        Channel.BROWSER: N_("Browser"),
        Channel.FRAME: N_("Inside another site"),
        Channel.API: N_("Shop or service"),
    },
}
"""The texts of stored values."""


@dataclass(frozen=True)
class Section:
    """A section of the page: its title, and the fields of each record."""

    title: str
    records: list[list[Field]]


def sections_of(exported: Mapping[str, Any]) -> list[Section]:
    """Return the sections of an export that have records, without empty fields."""
    details = {name: value for name, value in exported.items() if name not in _SECTIONS}
    found = [Section(translate(N_("Your details")), [_fields(details, "")])]
    for name, title in _SECTIONS.items():
        value = exported[name]
        records = value if isinstance(value, list) else [value] if value else []
        if records:
            found.append(Section(translate(title), [_fields(record, name) for record in records]))
    return found


def _fields(record: Mapping[str, Any], section: str) -> list[Field]:
    return [
        (_label(name, section), _words(name, value, record))
        for name, value in record.items()
        if name not in NOT_SHOWN and value is not None and value != []
    ]


def _label(name: str, section: str) -> str:
    column = _PROFILE.get(name)
    if column in PROFILE_ORDER and name not in LABELS:
        return field_label(column)
    return translate(_LABELS_IN_SECTION.get((section, name), LABELS.get(name, name)))


def _words(name: str, value: Any, record: Mapping[str, Any]) -> str:
    if name == "kind":
        return event_words(value, record.get("refusal"))
    if name == "userAgent":
        return browser(value)
    if name.endswith(("At", "Until")):
        return moment(datetime.fromisoformat(value))
    if isinstance(value, list):
        return ", ".join(value)
    if name in _NUMBERS:
        return Markup('<span class="reference" dir="ltr">{}</span>').format(value)
    if name in _PROFILE or isinstance(value, bool):
        return field_text(_PROFILE.get(name, name), value)
    known = _VALUES.get(name, {}).get(value)
    return translate(known) if known else str(value)
