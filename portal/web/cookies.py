"""Two of each cookie: one for pages at top level, one for pages in a frame on somebody's site.

A browser that blocks third-party cookies loses one with `SameSite=None` alone; with `Partitioned` it keeps it, for this
one pair of sites. The other cookie stays `Lax`, so no foreign site can make a browser send it. Neither is seen on the
other side, hence two names.

Beside the session's there is the one by which a browser is known to the customers who signed in with it
(domain/devices.py). It stays when a customer signs out, and ends a year after the last sign-in.
"""

from datetime import UTC, datetime, timedelta

from flask import Flask, Request, Response, current_app, g, has_request_context, request
from flask.globals import request_ctx
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import ImmutableMultiDict

from portal.app import settings_of
from portal.domain.devices import LIFETIME, is_cookie
from portal.web.assets import is_asset
from portal.web.organisation import current_organisation

FRAMED_HEADER = "X-Portal-Framed"
"""What our own script says of requests that it makes in a frame; browsers say it only of pages that are opened."""
_CLOCK_STEP = timedelta(days=1)
"""How far a clock may be set back before cookies of the time after are refused."""


def is_framed() -> bool:
    """Whether the page that is asked for is to stand in a frame."""
    return request.headers.get("Sec-Fetch-Dest") in ("iframe", "frame") or FRAMED_HEADER in request.headers


class TwoCookies(SecureCookieSessionInterface):
    """Flask's signed cookie, with name and attributes by where the page is shown."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie. Its age is measured here, since Flask's way refuses all cookies when a clock steps back.

        An asset gets an empty session, and its view sees no cookie at all.
        """
        if request_ctx.url_adapter is not None:
            request_ctx.match_request()  # Flask does it after this, which is too late to know the endpoint
        if is_asset():
            request.cookies = ImmutableMultiDict()
            return self.session_class()
        serializer = self.get_signing_serializer(app)
        value = request.cookies.get(self.get_cookie_name(app))
        if serializer is None or not value:
            return self.session_class()
        try:
            content, signed_at = serializer.loads(value, return_timestamp=True)
        except BadSignature:
            return self.session_class()
        is_fresh = -_CLOCK_STEP <= datetime.now(UTC) - signed_at <= app.permanent_session_lifetime
        return self.session_class(content if is_fresh else {})

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the session's cookie, and then the device's: simple clients read only the first.

        None is set for an asset, or in a frame that nobody may show the portal in. Nor in answer to another site that
        made the browser send a form: it leaves the Lax cookie out, and a new one would replace the visitor's own and
        sign them out.
        """
        is_unseen = "sent_from_elsewhere" in g and self.get_cookie_name(app) not in request.cookies
        if not is_asset() and not is_unseen and (not is_framed() or _may_be_framed()):
            super().save_session(app, session, response)
            if "device" in g:
                self._save_device(app, g.device, response)

    def get_cookie_name(self, app: Flask) -> str:
        """The name on this side."""
        name = super().get_cookie_name(app)
        return _on_this_side(name) if has_request_context() else name

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """`None` in a frame, which browsers take over https only."""
        return "None" if self.get_cookie_partitioned(app) else super().get_cookie_samesite(app)

    def get_cookie_partitioned(self, app: Flask) -> bool:
        """Only in a frame."""
        return is_framed() and self.get_cookie_secure(app)

    def _save_device(self, app: Flask, device: str, response: Response) -> None:
        response.set_cookie(
            _device_name(app),
            device,
            max_age=LIFETIME,
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite=self.get_cookie_samesite(app),
            partitioned=self.get_cookie_partitioned(app),
        )


def presented_device() -> str | None:
    """What the browser's device cookie holds, known or not; None for what no sign-in can have given out."""
    value = request.cookies.get(_device_name(current_app))
    return value if value is not None and is_cookie(value) else None


def keep_device(value: str) -> None:
    """Set the device cookie with the answer to this request."""
    g.device = value


def _device_name(app: Flask) -> str:
    return _on_this_side("__Host-device" if settings_of(app).is_https else "device")


def _on_this_side(name: str) -> str:
    return f"{name}-frame" if is_framed() else name


def _may_be_framed() -> bool:
    try:
        return bool(current_organisation().frame_ancestors)
    except SQLAlchemyError:
        return False
