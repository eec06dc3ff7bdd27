"""The portal on somebody's site: shown in a frame there, or visited from there and left again.

With the first page that it opens, a site says where to return to (`return_url`), what it wants to get back (`state`),
and a `nonce` of its own. They are kept in the cookie of this visit, until the customer has signed in and the site is
told of it (handover.py).
"""

from dataclasses import asdict, dataclass
from typing import Any
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

_SCRIPT_KEPT = 300
"""Seconds."""
_SIGNED_OUT = "signed_out"
NEVER_FRAMED = frozenset(
    {
        "account.change_password",
        "account.security",
        "account_sessions.end",
        "account_sessions.end_others",
        "account_sessions.index",
        "handover.continue",
        "mail_sign_in.open",
        "mail_sign_in.opened",
        "mailbox.clear",
        "mailbox.index",
        "mailbox.message",
        "password.set_new",
        "password.set_new_opened",
        "reauthentication.ask_code",
        "reauthentication.code",
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
"""Pages that change a credential, hand a customer over, or that a mailed link opens: nobody may be led to press their
buttons unseen."""

_BEGINNINGS = frozenset({"login.login", "register.register", "mail_sign_in.request", "password.request_reset"})
"""Pages that can be opened without anything before them."""


@dataclass(frozen=True)
class Visit:
    """What the site that brought the customer has said."""

    return_url: str | None = None
    state: str | None = None
    nonce: str = ""
    locale: str | None = None
    """In which language the site around the frame speaks."""
    theme: str | None = None
    """Whether it is light or dark."""


pages = Blueprint("embedding", __name__)


@pages.get("/embed.js")
def script() -> Response:
    """The script for sites that show the portal: one address for good, so it is asked for anew after a few minutes."""
    response = send_from_directory(str(current_app.static_folder), "embed.js", max_age=_SCRIPT_KEPT)
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def register(app: Flask) -> None:
    """Note what a site says with the first page, and tell templates how a page is shown."""

    @app.before_request
    def note_visit() -> None:
        if _takes_visits() and not {"return_url", "nonce"}.isdisjoint(request.args):
            session[VISIT] = asdict(named_visit())

    app.jinja_env.globals["framed_visit"] = _framed_visit

    @app.context_processor
    def page() -> dict[str, Any]:
        framed = is_framed()
        if request.endpoint not in NEVER_FRAMED and "is_never_framed" not in g:
            g.frame_ancestors = shown_organisation().frame_ancestors
        visit = current_visit()
        if not framed:
            return_target(visit.return_url)  # its origin joins the page's policy: the form ends up there
        return {
            "framed": framed,
            "frame_event": "signed-out" if framed and session.pop(_SIGNED_OUT, False) else None,
            "theme": visit.theme if framed else None,
            "visit": visit,
        }


def _takes_visits() -> bool:
    """Return whether what a site says with this request counts: on pages that begin something.

    In a frame also on the account page, which embed.js can show.
    """
    begins = request.endpoint in _BEGINNINGS or (request.endpoint == "account.home" and is_framed())
    return request.method == "GET" and begins


def current_visit() -> Visit:
    """What the site that brought the customer has said, if there is one."""
    return Visit(**session.get(VISIT, {}))


def note_sign_out() -> None:
    """Have the next page in the frame tell the site around it."""
    if is_framed():
        session[_SIGNED_OUT] = True


def _framed_visit() -> dict[str, str]:
    """What forms in a frame carry beside their token: where the browser keeps no cookie, it says how to go on."""
    return {name: value for name, value in asdict(current_visit()).items() if value} if is_framed() else {}


def new_tab_address() -> str | None:
    """Where to go on outside the frame, when the browser keeps no cookie in it; None for every other request.

    The page is the same one, and leads back to the site that shows the frame.
    """
    name = current_app.session_interface.get_cookie_name(current_app)
    if not is_framed() or name in request.cookies:
        return None
    said = {name: request.form[name] for name in asdict(Visit()) if request.form.get(name)}
    path = url_for(request.endpoint) if request.endpoint in _BEGINNINGS else url_for("login.login")
    return f"{path}?{urlencode(said)}" if said else path


def named_visit() -> Visit:
    """What the request says of the site; what cannot be used counts as not said."""
    return_url = return_target(request.values.get("return_url"))
    return Visit(
        return_url=return_url,
        state=_short("state") if return_url else None,
        nonce=named_nonce(),
        locale=_short("locale"),
        theme=theme if (theme := _short("theme")) in THEMES else None,
    )


def named_nonce() -> str:
    """The nonce of the request; empty when it is none that a code is given for."""
    nonce = request.values.get("nonce", "")
    return nonce if is_nonce(nonce) else ""


def _short(name: str) -> str | None:
    value = request.values.get(name, "")
    return value if value and len(value) <= STRING_LENGTH and is_plain(value) else None
