"""The Flask extensions, one instance each; create_app connects them."""

from flask import current_app, request
from flask_wtf.csrf import CSRFProtect, validate_csrf
from wtforms import ValidationError


class RotatingCSRFProtect(CSRFProtect):
    """Form tokens that survive a change of SECRET_KEY, as session cookies do.

    Flask-WTF reads tokens with the newest key only, so every form open during a rotation would fail.
    """

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the token of a request that changes something; raises CSRFError."""
        if request.method not in current_app.config["WTF_CSRF_METHODS"]:
            return
        if apply_exemptions and (not request.endpoint or self._is_exempt()):
            return
        reason = ""
        for key in (current_app.secret_key, *(current_app.config["SECRET_KEY_FALLBACKS"] or ())):
            try:
                validate_csrf(self._get_csrf_token(), secret_key=key)
            except ValidationError as error:
                reason = reason or str(error)
            else:
                return
        self._error_response(reason)


csrf = RotatingCSRFProtect()
