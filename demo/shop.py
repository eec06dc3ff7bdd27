"""The demo shop: a page that shows the portal in a frame, and a server that redeems hand-over codes."""

import hmac
import json
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from http.client import HTTPSConnection
from mailbox import Maildir
from pathlib import Path
from typing import Any

from flask import Flask, Response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue


@dataclass(frozen=True)
class PortalApi:
    """A client of the portal's API that trusts the demo's certificate."""

    host: str
    port: int
    certificate: Path
    key: str

    def post(self, endpoint: str, **body: str) -> dict[str, Any]:
        """Call an endpoint and return its JSON."""
        trusting = ssl.create_default_context(cafile=self.certificate)
        trusting.check_hostname = False  # not every system resolves names under localhost, so it connects to 127.0.0.1
        connection = HTTPSConnection("127.0.0.1", self.port, context=trusting, timeout=10)
        headers = {
            "Host": f"{self.host}:{self.port}",
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", f"/api/v1/customer/{endpoint}", json.dumps(body), headers)
            answer: dict[str, Any] = json.load(connection.getresponse())
        finally:
            connection.close()
        return answer


def create_shop(portal_url: str, api: PortalApi, mails: Path) -> Flask:
    """Create the shop as a WSGI application; `mails` is the portal's local mailbox."""
    shop = Flask(__name__)
    shop.secret_key = secrets.token_bytes(32)
    shop.config.update(SESSION_COOKIE_NAME="__Host-shop", SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")

    def redeem(code: str) -> dict[str, Any]:
        """Sign the browser in at the shop if the code was created for this browser."""
        answer = api.post("redeem-handover", code=code, nonce=session["nonce"])
        if answer.get("success"):
            session["identity"], session["name"] = answer["identityId"], answer["account"].get("firstName", "you")
        return answer

    @shop.get("/")
    def page() -> ResponseReturnValue:
        # One nonce for the whole session, so that the portal sends one code for each sign-in, not for each page view.
        nonce = session.setdefault("nonce", secrets.token_urlsafe(16))
        state = session.setdefault("state", secrets.token_urlsafe(16))
        if "code" in request.args:  # from the tab that the portal opens when it cannot set a cookie in the frame
            if hmac.compare_digest(request.args.get("state", "").encode(), state.encode()):
                redeem(request.args["code"])
            return redirect("/")
        return render_template("shop.html", portal=portal_url, nonce=nonce, state=state, name=session.get("name"))

    @shop.post("/sign-in")
    def sign_in() -> ResponseReturnValue:
        if "nonce" not in session or request.mimetype != "application/json":  # other sites cannot send JSON
            return {}, 400
        answer = redeem(str(request.get_json()["code"]))
        return {"answer": answer, "name": session.get("name")}

    @shop.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        session.pop("identity", None)  # the portal has already ended it
        session.pop("name", None)
        return {}

    _add_mails(shop, mails)
    shop.after_request(_security_policy(portal_url))
    return shop


def _add_mails(shop: Flask, mails: Path) -> None:
    """Show what the portal has mailed; a real shop has no such page."""

    @shop.get("/mail")
    def mail() -> str:
        """The newest first."""
        box = Maildir(mails)
        # Their names sort by age.
        found = [message_from_bytes(box.get_bytes(key), policy=default) for key in sorted(box.keys(), reverse=True)]
        return render_template("mail.html", mails=[(one["To"], one["Subject"], _text(one)) for one in found])

    @shop.post("/mail")
    def delete_mail() -> ResponseReturnValue:
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            return {}, 400
        box = Maildir(mails)
        for key in box.keys():  # noqa: SIM118 - iterating gives mails
            box.discard(key)
        return redirect("/mail")


def _text(mail: Any) -> str:
    content: str = mail.get_body(("plain",)).get_content()
    return content


def _security_policy(portal_url: str) -> Callable[[Response], Response]:
    def set_policy(response: Response) -> Response:
        """Allow the portal's script, and its pages in a frame."""
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'self' {portal_url}; frame-src {portal_url}; style-src 'self';"
            " img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        return response

    return set_policy
