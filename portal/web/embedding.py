"""The portal in a frame on another site, or linked from it.

The site adds parameters to the first page that it opens: where to return to (`return_url`), a value to get back
(`state`), and a `nonce`. They stay in the session until the customer has signed in and returns (handover.py).
"""

from dataclasses import asdict, dataclass
from urllib.parse import urlencode

from flask import Blueprint, Flask, current_app, g, request, send_from_directory, session, url_for
from werkzeug.wrappers import Response

from portal.domain.use_cases.hand_over import is_nonce
from portal.domain.values.text import is_plain
from portal.storage.models import STRING_LENGTH
from portal.web.cookies import is_framed
from portal.web.presentation import shown_organisation
from portal.web.redirects import return_target
from portal.web.session import VISIT
from portal.web.theme import THEMES

_SCRIPT_MAX_AGE = 300
"""Seconds."""
_SIGNED_OUT = "signed_out"
NEVER_FRAMED = frozenset(
    {
        "account.change_password",
        "account.security",
        "account_data.delete",
        "account_data.export",
        "account_data.index",
        "account_data.keep",
        "account_data.keep_opened",
        "account_passkeys.index",
        "account_passkeys.options",
        "account_passkeys.remove",
        "account_passkeys.rename",
        "account_sessions.end",
        "account_sessions.end_others",
        "account_sessions.index",
        "address_change.cancel",
        "address_change.code",
        "address_change.confirm",
        "address_change.confirm_opened",
        "address_change.request",
        "address_change.undo",
        "address_change.undo_opened",
        "handover.continue",
        "mail_sign_in.open",
        "mail_sign_in.opened",
        "mailbox.clear",
        "mailbox.index",
        "mailbox.message",
        "not_me.open",
        "not_me.opened",
        "password.set_new",
        "password.set_new_opened",
        "reauthentication.ask_code",
        "reauthentication.code",
        "reauthentication.passkey",
        "reauthentication.passkey_options",
        "reauthentication.password",
        "reauthentication.second_step",
        "register.verify",
        "register.verify_opened",
        "two_step.forget_browsers",
        "two_step.off",
        "two_step.recovery_codes",
        "two_step.settings",
    }
)
"""Pages that change a credential, hand a customer over, or are opened by a link from an email: never in a frame, to
prevent clickjacking.
"""

_ENTRY_PAGES = frozenset({"login.login", "register.register", "mail_sign_in.request", "password.request_reset"})
"""Pages that a site can open first."""


@dataclass(frozen=True)
class Visit:
    """The parameters of the site that the customer came from."""

    return_url: str | None = None
    state: str | None = None
    nonce: str = ""
    locale: str | None = None
    """The language of the site around the frame."""
    theme: str | None = None
    """The colour scheme of the site around the frame, a key of THEMES."""


pages = Blueprint("embedding", __name__)


@pages.get("/embed.js")
def script() -> Response:
    """Return the script for sites that show the portal; its URL has no version, so it is cached for minutes only."""
    response = send_from_directory(str(current_app.static_folder), "embed.js", max_age=_SCRIPT_MAX_AGE)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def register(app: Flask) -> None:
    """Store the visit that a request starts, and tell templates whether a page is in a frame."""

    @app.before_request
    def store_visit() -> None:
        if _may_start_visit() and not {"return_url", "nonce"}.isdisjoint(request.args):
            session[VISIT] = asdict(visit_in_request())

    app.jinja_env.globals["framed_visit"] = _framed_visit

    @app.context_processor
    def page() -> dict[str, object]:
        framed = is_framed()
        if request.endpoint not in NEVER_FRAMED and "is_never_framed" not in g:
            g.frame_ancestors = shown_organisation().frame_ancestors
        visit = current_visit()
        if not framed:
            return_target(visit.return_url)  # adds its origin to the page's policy: the form redirects there
        return {
            "framed": framed,
            "frame_event": "signed-out" if framed and session.pop(_SIGNED_OUT, False) else None,
            "theme": visit.theme if framed else None,
            "visit": visit,
        }


def _may_start_visit() -> bool:
    """Return whether the request may start a visit: on entry pages, in a frame also on the account page (embed.js)."""
    is_entry = request.endpoint in _ENTRY_PAGES or (request.endpoint == "account.home" and is_framed())
    return request.method == "GET" and is_entry


def current_visit() -> Visit:
    """Return the visit in the session, or an empty one."""
    return Visit(**session.get(VISIT, {}))


def announce_sign_out() -> None:
    """Have the next page in the frame announce the sign-out to the site around it."""
    if is_framed():
        session[_SIGNED_OUT] = True


def _framed_visit() -> dict[str, str]:
    """Return the hidden fields for forms in a frame, needed if the browser blocks the cookie (new_tab_url)."""
    return {name: value for name, value in asdict(current_visit()).items() if value} if is_framed() else {}


def new_tab_url() -> str | None:
    """Return the URL of the same page outside the frame, if the browser blocks cookies in it, else None.

    It has the parameters of the visit, so that the customer returns to the site.
    """
    name = current_app.session_interface.get_cookie_name(current_app)
    if not is_framed() or name in request.cookies:
        return None
    parameters = {name: request.form[name] for name in asdict(Visit()) if request.form.get(name)}
    path = url_for(request.endpoint) if request.endpoint in _ENTRY_PAGES else url_for("login.login")
    return f"{path}?{urlencode(parameters)}" if parameters else path


def restore_visit() -> None:
    """Store the visit again that the hidden fields of a form name, because the browser sent no session."""
    session[VISIT] = asdict(visit_in_request())


def visit_in_request() -> Visit:
    """Return the visit in the parameters of the request; invalid ones are ignored."""
    return_url = return_target(request.values.get("return_url"))
    return Visit(
        return_url=return_url,
        state=_short_text("state") if return_url else None,
        nonce=nonce_in_request(),
        locale=_short_text("locale"),
        theme=theme if (theme := _short_text("theme")) in THEMES else None,
    )


def nonce_in_request() -> str:
    """Return the nonce in the parameters of the request, or an empty string if it is invalid."""
    nonce = request.values.get("nonce", "")
    return nonce if is_nonce(nonce) else ""


def _short_text(name: str) -> str | None:
    value = request.values.get(name, "")
    return value if value and len(value) <= STRING_LENGTH and is_plain(value) else None
