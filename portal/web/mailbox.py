"""The local mailbox: the mails of a portal that has no mail server yet, readable on this machine only.

Its mails open accounts. So the pages exist only where nobody else can ask for them: no mail server set, BASE_URL,
peer and Host on loopback, no proxy in front. Everywhere else they are a 404 like any unknown address.
"""

import re
from dataclasses import dataclass
from datetime import UTC
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from mailbox import Maildir
from urllib.parse import urlsplit

from babel.dates import format_datetime
from flask import Blueprint, Response, abort, current_app, make_response, render_template, request

from portal.app import settings_of
from portal.domain.messages import N_
from portal.i18n import current_language, translate
from portal.mail.transport import mailbox_folder, make_mailbox
from portal.security_headers import CONTENT_SECURITY_POLICY
from portal.settings import is_loopback_host

pages = Blueprint("mailbox", __name__, url_prefix="/dev/mailbox")

NEWEST = 200
_PROXY_HEADERS = (
    *("forwarded", "x-forwarded", "x-original-", "via", "x-real-ip", "client-ip", "x-client-ip", "true-client-ip"),
    *("x-cluster-client-ip", "proxy-client-ip", "wl-proxy-", "x-remote-", "x-proxy", "x-proxied", "x-nginx-"),
    *("x-host", "x-scheme", "x-url-scheme", "front-end-https", "cdn-loop", "x-request-start"),
    *("cf-", "fastly-", "fly-", "x-amzn-", "x-appengine-", "x-arr-", "x-azure-", "x-envoy-", "x-vercel-"),
)
"""What the names of the headers begin with that proxies, balancers and tunnels add; browsers and programs do not."""
_BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
_LINK = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True)
class Letter:
    """A mail as the pages show it; parts of its text are ("text", …) or ("link", …)."""

    key: str
    subject: str
    from_: str
    to: str
    sent_at: str
    text_parts: list[tuple[str, str]]


@pages.before_request
def exist_here_only() -> None:
    """Any condition that does not hold makes a 404 of every page here."""
    settings = settings_of(current_app)
    if settings.mail_server is not None or not settings.is_loopback or settings.trusted_proxies:
        abort(404)
    # A foreign name may lead to this machine (DNS rebinding), and a proxy on it may speak for anybody.
    host = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback_host(request.remote_addr or "") or not is_loopback_host(host) or _comes_through_a_proxy():
        abort(404)


def _comes_through_a_proxy() -> bool:
    """Return whether the request shows that a proxy made it.

    nginx speaks HTTP/1.0 to what is behind it, adds no header and names the portal's own address as Host, unless its
    configuration says otherwise; no browser of today speaks HTTP/1.0. A proxy that does none of these cannot be told
    from a browser on this machine.
    """
    added = any(name.lower().startswith(_PROXY_HEADERS) for name, _ in request.headers)
    return added or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"


@pages.get("")
def index() -> str:
    """The newest mails first."""
    maildir = _maildir()
    newest = sorted(maildir.keys(), reverse=True)[:NEWEST]
    return render_template("mailbox/index.html", messages=[_letter(key, _read(maildir, key)) for key in newest])


@pages.get("/<key>")
def message(key: str) -> Response:
    """One mail: its HTML in a sandboxed frame, its text beside it."""
    response = make_response(render_template("mailbox/message.html", mail=_letter(key, _find(key))))
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response


@pages.get("/<key>/<any(html):part>")
def body(key: str, part: str) -> Response:
    """The HTML of one mail, alone: no script runs, nothing is loaded, and links open in the whole window."""
    found = _find(key).get_body((part,))
    if found is None:
        abort(404)
    html = str(found.get_content()).replace(' target="_blank"', "")
    html = re.sub(r"(?i)<head>", r'\g<0><base target="_top">', html, count=1)
    return Response(html, mimetype="text/html", headers={"Content-Security-Policy": _BODY_POLICY})


def _maildir() -> Maildir:
    folder = mailbox_folder(settings_of(current_app))
    make_mailbox(folder)
    return Maildir(folder, create=False)


def _find(key: str) -> EmailMessage:
    """The mail with a key; 404 for any other. The key is looked up among those that there are and makes no path."""
    maildir = _maildir()
    if key not in maildir.keys():  # noqa: SIM118 - `in maildir` would make a path of it
        abort(404)
    return _read(maildir, key)


def _read(maildir: Maildir, key: str) -> EmailMessage:
    return message_from_bytes(maildir.get_bytes(key), _class=EmailMessage, policy=default)


def _letter(key: str, mail: EmailMessage) -> Letter:
    text = mail.get_body(("plain",))
    parts = _LINK.split(str(text.get_content()) if text is not None else "")
    return Letter(
        key=key,
        subject=str(mail["Subject"]),
        from_=str(mail["From"]),
        to=str(mail["To"]),
        sent_at=translate(
            N_("%(time)s UTC"),
            time=format_datetime(mail["Date"].datetime, "medium", tzinfo=UTC, locale=current_language().locale),
        ),
        # The pattern has one group, so that every other part is what it matched.
        text_parts=[("link" if number % 2 else "text", part) for number, part in enumerate(parts) if part],
    )
