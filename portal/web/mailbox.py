"""The local mailbox: the mails of a portal that has no mail server yet, readable on this machine only.

Its mails open accounts. So the pages exist only where nobody else can ask for them: no mail server set, BASE_URL,
peer and Host on loopback, no proxy in front. Everywhere else they are a 404 like any unknown address.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from mailbox import Maildir
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import settings_of
from portal.extensions import form_rate
from portal.i18n import moment_text
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
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
"""The same origin lets the page around it see how high the mail is; nothing in the mail can run."""
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
    if not _exists_here():
        abort(404)


@pages.app_template_global()
def local_mailbox() -> str | None:
    """Return the address of the local mailbox, for pages that lead there; None where it cannot be opened."""
    return url_for("mailbox.index") if _exists_here() else None


def _exists_here() -> bool:
    settings = settings_of(current_app)
    if settings.mail_server is not None or not settings.is_loopback or settings.trusted_proxies:
        return False
    # A foreign name may lead to this machine (DNS rebinding), and a proxy on it may speak for anybody.
    host = urlsplit(f"//{request.host}").hostname or ""
    return is_loopback_host(request.remote_addr or "") and is_loopback_host(host) and not _comes_through_a_proxy()


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


@pages.post("")
@form_rate
def clear() -> ResponseReturnValue:
    """Delete the mails that there are."""
    maildir = _maildir()
    for key in maildir.keys():  # noqa: SIM118 - iterating gives mails
        maildir.discard(key)
    return redirect(url_for("mailbox.index"))


@pages.get("/<key>")
def message(key: str) -> Response:
    """One mail: its HTML in a sandboxed frame, its text beside it."""
    response = make_response(render_template("mailbox/message.html", mail=_letter(key, _find(key))))
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response


@pages.get("/<key>/<any(html):part>")
def body(key: str, part: str) -> Response:
    """The HTML of one mail, alone: no script runs, nothing is loaded, and links open in the whole window."""
    mail = _find(key)
    found = mail.get_body((part,))
    if found is None:
        abort(404)
    html = str(found.get_content()).replace(' target="_blank"', "")
    for picture in mail.walk():
        if content_id := picture["Content-ID"]:
            data = b64encode(picture.get_content()).decode()
            html = html.replace(f"cid:{content_id.strip('<>')}", f"data:{picture.get_content_type()};base64,{data}")
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
        sent_at=moment_text(mail["Date"].datetime),
        # The pattern has one group, so that every other part is what it matched.
        text_parts=[("link" if number % 2 else "text", part) for number, part in enumerate(parts) if part],
    )
