"""The portal on somebody's site: shown in a frame there, or visited from there and left again.

With the first page that it opens, a site says where to return to (`return_url`), what it wants to get back (`state`),
and a `nonce` of its own. They are kept in the cookie of this visit. When the customer has signed in, the site gets a
code that its server redeems for an identity (domain/handover.py): in a frame by a message, else with the return
address.
"""

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, current_app, g, redirect, request, send_from_directory, session, url_for
from werkzeug.wrappers import Response

from portal.assembly import current_context
from portal.domain.devices import remember
from portal.domain.handover import hand_over, hand_over_once
from portal.domain.models import STRING_LENGTH
from portal.domain.texts import is_plain
from portal.web.cookies import is_framed
from portal.web.device_cookie import keep_device
from portal.web.presentation import shown_organisation
from portal.web.redirects import redirect_to, return_target
from portal.web.session import VISIT, current_customer, current_visitor, sign_in
from portal.web.theme import THEMES

_SCRIPT_KEPT = 300
"""Seconds."""
_SIGNED_OUT = "signed_out"
NEVER_FRAMED = frozenset(
    {
        "account.change_password",
        "mail_sign_in.open",
        "mailbox.index",
        "mailbox.message",
        "password.set_new",
        "register.verify",
    }
)
"""Pages that change a credential, or that a mailed link opens: nobody may be led to press their buttons unseen."""

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


@pages.post("/handover")
def tell_site() -> dict[str, str]:
    """The code that the site around a frame is told when somebody is signed in: each sign-in once for each nonce.

    The page's script asks (static/portal.js) and names the nonce: all frames of a site share one cookie, so only the
    frame itself knows which page it stands in. Nothing is written into that cookie: this may be answered while another
    page of the frame signs out.
    """
    customer = current_customer()
    if customer is None or not is_framed():
        return {}
    code = hand_over_once(current_context(), customer, _nonce())
    return {} if code is None else {"code": code}


def register(app: Flask) -> None:
    """Note what a site says with the first page, and tell templates how a page is shown."""

    @app.before_request
    def note_visit() -> None:
        if request.method == "GET" and not {"return_url", "nonce"}.isdisjoint(request.args):
            return_url = return_target(request.args.get("return_url"))
            visit = Visit(
                return_url=return_url,
                state=_short("state") if return_url else None,
                nonce=_nonce(),
                locale=_short("locale"),
                theme=theme if (theme := _short("theme")) in THEMES else None,
            )
            session[VISIT] = asdict(visit)

    app.jinja_env.globals["framed_visit"] = _framed_visit

    @app.context_processor
    def page() -> dict[str, Any]:
        framed = is_framed()
        if request.endpoint not in NEVER_FRAMED:
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


def current_visit() -> Visit:
    """What the site that brought the customer has said, if there is one."""
    return Visit(**session.get(VISIT, {}))


def arrive(identity: str, *, kept: bool, after: str | None, return_url: str | None = None) -> Response:
    """Sign the browser in and lead it on: back to the site that it came from, or to a path of our own.

    The browser is one of the customer's known devices from now on. `return_url` is where a shop's server wants its new
    customer to go on; no code goes there, since this browser need not be the one that the shop knows.
    """
    sign_in(identity, kept=kept)
    if device := remember(current_context(), current_visitor(), identity):
        keep_device(device)
    return go_on(after, return_url)


def go_on(after: str | None, return_url: str | None = None) -> Response:
    """Lead a customer who is signed in on; the visit ends with the code that its site gets."""
    customer = current_customer()
    visit = current_visit()
    target = return_target(visit.return_url)
    if customer is None or is_framed():  # in a frame the next page tells the site around it
        return redirect_to(after, url_for("account.home"))
    if target is None:
        onward = return_target(return_url)
        return redirect(onward) if onward else redirect_to(after, url_for("account.home"))
    del session[VISIT]
    answer = {"code": hand_over(current_context(), customer, visit.nonce)}
    if visit.state is not None:
        answer["state"] = visit.state
    parts = urlsplit(target)
    # The page may have been returned to before, and still stand at the address that it got then.
    said_before = [part for part in parts.query.split("&") if part and part.partition("=")[0] not in ("code", "state")]
    query = "&".join([*said_before, urlencode(answer)])
    return redirect(parts._replace(query=query).geturl())


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


def _nonce() -> str:
    return (_short("nonce") or "").strip()


def _short(name: str) -> str | None:
    value = request.values.get(name, "")
    return value if value and len(value) <= STRING_LENGTH and is_plain(value) else None
