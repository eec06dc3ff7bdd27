"""The session and device cookies, each in two variants: for pages at top level, and for pages in a frame.

In a frame on another site, a browser that blocks third-party cookies accepts `SameSite=None` only with `Partitioned`,
for this pair of sites. At top level the cookie is `Lax`, so that no other site can make a browser send it. The two have
different names, because a browser may send both.

The device cookie makes a browser a known device of the customers who signed in with it (domain/devices.py). It stays
after a sign-out, and expires a year after the last sign-in.
"""

from datetime import UTC, datetime, timedelta

from flask import Flask, Request, Response, current_app, g, has_request_context, request
from flask.globals import request_ctx
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import ImmutableMultiDict

from portal.app import settings_of
from portal.domain.devices import LIFETIME, is_cookie
from portal.web.assets import is_asset
from portal.web.organisation import current_organisation

_FRAMED_HEADER = "HTTP_X_PORTAL_FRAMED"
"""The header of requests by the portal's script in a frame; browsers send Sec-Fetch-Dest only for navigation."""
_CLOCK_STEP = timedelta(days=1)
"""Cookies from the future are accepted up to this: the clock may be set back."""


def is_framed() -> bool:
    """Return whether the request is for a page in a frame, or from one."""
    # From the environment, since this is asked several times for each page.
    return request.environ.get("HTTP_SEC_FETCH_DEST") in ("iframe", "frame") or _FRAMED_HEADER in request.environ


class TwoCookies(SecureCookieSessionInterface):
    """Flask's signed session cookie, whose name and attributes depend on whether the page is in a frame."""

    _serializer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer of the app, built once: that takes as long as signing a cookie."""
        if self._serializer is None:
            self._serializer = super().get_signing_serializer(app)
        return self._serializer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie and check its age; Flask itself would refuse all cookies after the clock was set back.

        An asset gets an empty session, and its view gets no cookies.
        """
        if request_ctx.url_adapter is not None:
            request_ctx.match_request()  # Flask does it later, but the endpoint is needed now
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
        """Set the session cookie, and after it the device cookie: simple clients read only the first.

        No cookie is set for an asset, in a frame that is not allowed, or in response to a form from another site: for
        that the browser omits the Lax cookie, and a new one would replace it and sign the visitor out.
        """
        is_omitted = "sent_from_elsewhere" in g and self.get_cookie_name(app) not in request.cookies
        if not is_asset() and not is_omitted and (not is_framed() or _may_be_framed()):
            super().save_session(app, session, response)
            if "device" in g:
                self._save_device(app, g.device, response)

    def get_cookie_name(self, app: Flask) -> str:
        name = super().get_cookie_name(app)
        return _with_suffix(name) if has_request_context() else name

    def get_cookie_samesite(self, app: Flask) -> str | None:
        """Return `None` in a frame, which browsers accept over https only."""
        return "None" if self.get_cookie_partitioned(app) else super().get_cookie_samesite(app)

    def get_cookie_partitioned(self, app: Flask) -> bool:
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
    """Return the value of the device cookie, of a known device or not; None if it does not have the right form."""
    value = request.cookies.get(_device_name(current_app))
    return value if value is not None and is_cookie(value) else None


def set_device_cookie(value: str) -> None:
    """Set the device cookie with the response to this request."""
    g.device = value


def _device_name(app: Flask) -> str:
    return _with_suffix("__Host-device" if settings_of(app).is_https else "device")


def _with_suffix(name: str) -> str:
    return f"{name}-frame" if is_framed() else name


def _may_be_framed() -> bool:
    try:
        return bool(current_organisation().frame_ancestors)
    except SQLAlchemyError:
        return False
