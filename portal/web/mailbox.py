"""The local mailbox: the emails of a portal without a mail server, readable on this machine only.

Its emails can sign in to any account. So the pages exist only if no other machine can request them: no mail server is
set, BASE_URL, client address and Host are loopback, and there is no proxy. Otherwise they respond with 404.
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

MAX_EMAILS = 200
"""Emails on the page, the newest ones."""
_PROXY_HEADERS = (
    *("forwarded", "x-forwarded", "x-original-", "via", "x-real-ip", "client-ip", "x-client-ip", "true-client-ip"),
    *("x-cluster-client-ip", "proxy-client-ip", "wl-proxy-", "x-remote-", "x-proxy", "x-proxied", "x-nginx-"),
    *("x-host", "x-scheme", "x-url-scheme", "front-end-https", "cdn-loop", "x-request-start"),
    *("cf-", "fastly-", "fly-", "x-amzn-", "x-appengine-", "x-arr-", "x-azure-", "x-envoy-", "x-vercel-"),
)
"""Prefixes of headers that proxies, load balancers and tunnels add, and browsers do not."""
_BODY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; "
    "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
"""The same origin lets the page around the frame measure its height; no script in the email can run."""
_LINK = re.compile(r"(https?://[^\s<>\"]+)")


@dataclass(frozen=True)
class Email:
    """An email to show; parts of its text are ("text", …) or ("link", …)."""

    key: str
    subject: str
    from_: str
    to: str
    sent_at: str
    text_parts: list[tuple[str, str]]


@pages.before_request
def require_local_request() -> None:
    if not _is_available():
        abort(404)


@pages.app_template_global()
def local_mailbox() -> str | None:
    """Return the path of the local mailbox for links to it, or None if it is not available."""
    return url_for("mailbox.index") if _is_available() else None


def _is_available() -> bool:
    settings = settings_of(current_app)
    if settings.mail_server is not None or not settings.is_loopback or settings.trusted_proxies:
        return False
    # Another host name may resolve to this machine (DNS rebinding), and a proxy on it forwards requests of others.
    host = urlsplit(f"//{request.host}").hostname or ""
    return is_loopback_host(request.remote_addr or "") and is_loopback_host(host) and not _is_proxied()


def _is_proxied() -> bool:
    """Return whether the request has signs of a proxy.

    By default nginx uses HTTP/1.0 for upstream requests, adds no header and sends the portal's own address as Host; no
    current browser uses HTTP/1.0. A proxy without any of these signs cannot be told from a local browser.
    """
    has_header = any(name.lower().startswith(_PROXY_HEADERS) for name, _ in request.headers)
    return has_header or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"


@pages.get("")
def index() -> str:
    """List the newest emails."""
    maildir = _maildir()
    newest = sorted(maildir.keys(), reverse=True)[:MAX_EMAILS]
    return render_template("mailbox/index.html", messages=[_parse(key, _read(maildir, key)) for key in newest])


@pages.post("")
@form_rate
def clear() -> ResponseReturnValue:
    """Delete all emails."""
    maildir = _maildir()
    for key in maildir.keys():  # noqa: SIM118 - iterating gives messages
        maildir.discard(key)
    return redirect(url_for("mailbox.index"))


@pages.get("/<key>")
def message(key: str) -> Response:
    """Show an email: its HTML in a sandboxed frame, and its text."""
    response = make_response(render_template("mailbox/message.html", mail=_parse(key, _find(key))))
    response.headers["Content-Security-Policy"] = f"{CONTENT_SECURITY_POLICY}; frame-src 'self'"
    return response


@pages.get("/<key>/<any(html):part>")
def body(key: str, part: str) -> Response:
    """Return the HTML of an email: no script runs, nothing is loaded, and links replace the page around the frame."""
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
    """Return the email with a key, or abort with 404. The key is compared, never used as a path."""
    maildir = _maildir()
    if key not in maildir.keys():  # noqa: SIM118 - `in maildir` would build a path with it
        abort(404)
    return _read(maildir, key)


def _read(maildir: Maildir, key: str) -> EmailMessage:
    return message_from_bytes(maildir.get_bytes(key), _class=EmailMessage, policy=default)


def _parse(key: str, mail: EmailMessage) -> Email:
    text = mail.get_body(("plain",))
    parts = _LINK.split(str(text.get_content()) if text is not None else "")
    return Email(
        key=key,
        subject=str(mail["Subject"]),
        from_=str(mail["From"]),
        to=str(mail["To"]),
        sent_at=moment_text(mail["Date"].datetime),
        # The pattern has one group, so every other part is a match.
        text_parts=[("link" if number % 2 else "text", part) for number, part in enumerate(parts) if part],
    )
