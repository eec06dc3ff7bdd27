"""What was typed into forms, saved in the session cookie until the next sign-in or sign-out, to fill it in again."""

import json
from collections.abc import Mapping

from flask import session
from werkzeug.datastructures import MultiDict

from portal.storage.models import STRING_LENGTH

_SAVED_FORM = "form"
_MAX_FORM_LENGTH = 1000
"""Characters."""
_ADDRESS = "address"
_SAVED_INPUT = "typed"
_MAX_INPUT_BYTES = 700
"""Of the JSON of what was typed into a form; if it is longer, nothing is saved, since a cookie has a size limit."""
_NOT_SAVED = frozenset({"csrf_token", "locale", "next"})


def save_form(path: str, fields: dict[str, str]) -> None:
    """Save what was typed into a form until the customer has reauthenticated; a long form is not saved.

    The cookie has room for little more than an address.
    """
    if sum(map(len, (path, *fields, *fields.values()))) <= _MAX_FORM_LENGTH:
        session[_SAVED_FORM] = [path, fields]


def has_saved_form(path: str | None) -> bool:
    """Return whether the form of a page was sent before the customer had to reauthenticate."""
    saved_path, _ = session.get(_SAVED_FORM, (None, {}))
    return saved_path is not None and saved_path == path


def take_saved_form(path: str) -> dict[str, str]:
    """Return and delete what was typed into the form of a page before the customer had to reauthenticate."""
    saved_path, fields = session.get(_SAVED_FORM, (None, {}))
    if saved_path != path:
        return {}
    del session[_SAVED_FORM]
    return dict(fields)


def remember_address(text: str | None) -> None:
    """Save the address that was typed last, to fill it into other forms; too long a text is ignored."""
    if text and len(text) <= STRING_LENGTH:
        session[_ADDRESS] = text


def remembered_address() -> str | None:
    """Return the address that was typed last in this browser, since the last sign-in or sign-out."""
    return session.get(_ADDRESS)


def save_input(path: str, form: Mapping[str, str]) -> None:
    """Save what was typed into the form of a page, except passwords, to fill it in there again."""
    remember_address(form.get("email"))
    typed = {name: value for name, value in form.items() if value and name not in _NOT_SAVED and "password" not in name}
    if len(json.dumps(typed)) <= _MAX_INPUT_BYTES:
        session[_SAVED_INPUT] = (path, typed)


def saved_input(path: str) -> MultiDict[str, str] | None:
    """Return what was saved of the form of a page, as form data; None if there is nothing."""
    saved_path, typed = session.get(_SAVED_INPUT, ("", {}))
    return MultiDict(typed) if saved_path == path and typed else None


def delete_input() -> None:
    """Delete what was saved of a form, once one is sent."""
    session.pop(_SAVED_INPUT, None)
