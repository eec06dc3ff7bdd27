"""What the pages with passkeys share: where passkeys work, and what the page's script asks the browser for."""

import json
from hashlib import sha256

from flask import current_app, session
from itsdangerous import BadData, URLSafeSerializer

from portal.app import settings_of
from portal.domain.errors import Failure, Refused
from portal.domain.messages import N_
from portal.domain.passkey_requests import PasskeyRequest, PasskeyResponse
from portal.domain.relying_party import NoPasskeys, RelyingParty, find_relying_party
from portal.i18n import translate
from portal.storage.backends import DatabaseUnavailable
from portal.web.forms import PasskeyForm
from portal.web.organisation import current_organisation

_WHY_NONE = {
    NoPasskeys.IP_ADDRESS: N_(
        "Passkeys can't be used here, because this website's address is a number and not a name."
    ),
    NoPasskeys.NOT_SECURE: N_("Passkeys can't be used here, because the connection to this website isn't encrypted."),
}
"""The text of each reason, for customers."""


def find_party() -> RelyingParty | None:
    """Return the relying party of the current organisation, or None if its address can have no passkeys.

    None while the database is unavailable, too: the sign-in page is shown without it.
    """
    try:
        party = _current()
    except DatabaseUnavailable:
        return None
    return party if isinstance(party, RelyingParty) else None


def get_party() -> RelyingParty:
    """Return the relying party of the current organisation; raises Refused with the reason if it can have none."""
    party = _current()
    if isinstance(party, NoPasskeys):
        raise Refused(Failure.PASSKEY_REFUSED, detail=_WHY_NONE[party])
    return party


def why_no_passkeys() -> str | None:
    """Return why the address of the current organisation can have no passkeys, in the customer's language."""
    party = _current()
    return translate(_WHY_NONE[party]) if isinstance(party, NoPasskeys) else None


def _current() -> RelyingParty | NoPasskeys:
    return find_relying_party(current_organisation(), settings_of(current_app).base_url)


def options_for_script(request: PasskeyRequest) -> dict[str, object]:
    """Return the JSON for the page's script (static/passkeys.js), which sends the challenge back with the form.

    The session cookie does not keep the challenge: the sign-in page asks for one by itself, and the response could
    overwrite the cookie of a sign-in at the same moment.
    """
    return {"options": request.options, "challenge": _serializer().dumps(request.challenge)}


def response_in(form: PasskeyForm) -> PasskeyResponse:
    """Return what a form has sent, with its challenge if that was given out to this session.

    Raises Refused if the address of the current organisation can have no passkeys.
    """
    try:
        challenges = [_serializer().loads(form.challenge.text)]
    except BadData:
        challenges = []
    return PasskeyResponse(get_party(), challenges, form.credential.text)


def credential_id_in(form: PasskeyForm) -> str | None:
    """Return the id of the passkey that a form has sent, if it can be read."""
    try:
        found = json.loads(form.credential.text)["id"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return found if isinstance(found, str) and found.isascii() else None  # no lone surrogate, which no page can show


def _serializer() -> URLSafeSerializer:
    """Return the serializer of challenges of this session: Flask-WTF's token is new with each sign-in and sign-out."""
    keys = [*(current_app.config["SECRET_KEY_FALLBACKS"] or ()), current_app.secret_key]
    salt = f"passkey challenge {session.get('csrf_token')}"
    return URLSafeSerializer(keys, salt=salt, signer_kwargs={"digest_method": sha256})
