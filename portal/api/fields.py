"""The field types of requests: strict, each deserialized into its normal form.

Nothing is coerced: a number is neither a string nor a boolean. An optional field that is null, or an empty string,
counts as not given.
"""

from collections.abc import Callable
from typing import Any

from marshmallow import ValidationError, fields

from portal.domain.contact_details import MAX_GROUPS
from portal.domain.passwords.policy import MAX_LENGTH as PASSWORD_MAX_LENGTH
from portal.domain.passwords.policy import PasswordTooLong, normalised
from portal.domain.values.durations import InvalidDuration
from portal.domain.values.text import cleaned, is_plain
from portal.storage.models import STRING_LENGTH

_REQUIRED = "This field is required."
_NO_TEXT = "This must be a string."

_UNPRINTABLE = r"\u0000-\u0008\u000A-\u001F\u007F-\u009F\u2028\u2029"
_INVISIBLE = r"\u00AD\u061C\u180E\u200B-\u200F\u202A-\u202E\u2060-\u206F\uFEFF"
_PLAIN = rf"^\s*[^{_UNPRINTABLE}]*\s*$"
_PLAIN_AND_NOT_BLANK = rf"^\s*[^{_UNPRINTABLE}]*[^\s{_UNPRINTABLE}{_INVISIBLE}][^{_UNPRINTABLE}]*\s*$"
"""Patterns of the OpenAPI description for the check in domain/values/text.py."""
_SHAPES = frozenset({"pattern", "format", "enum", "anyOf"})

Reader = Callable[[str], object]
"""Returns the normal form of a text; raises ValueError with a sentence."""


_MESSAGES: dict[str, str | list[object] | dict[object, object]] = {"required": _REQUIRED, "null": _REQUIRED}


class Line(fields.String):
    """A line of text, cleaned (domain/values/text.py)."""

    default_error_messages = _MESSAGES

    def __init__(self, reader: Reader | None = None, **options: Any) -> None:
        super().__init__(**_optional({**options, "metadata": _described(options)}))
        self._reader = reader

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> Any:
        text = _text(value)
        if len(text) > STRING_LENGTH:
            raise ValidationError(f"This may have at most {STRING_LENGTH} characters.")
        text = cleaned(text)
        if not is_plain(text):
            raise ValidationError("This holds a character that cannot be used here, such as a line break.")
        if not text:
            if self.required:
                raise self.make_error("required")
            return None
        return self._read(text)

    def _read(self, text: str) -> object:
        try:
            return self._reader(text) if self._reader else text
        except InvalidDuration as error:
            raise ValidationError(f'This {error}; write it like "3h 20m".') from None
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Duration(Line):
    """A duration; an empty one is refused like any other that cannot be parsed (docs/api.md#durations)."""

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> Any:
        return self._read(cleaned(_text(value)))


class Secret(fields.String):
    """A password, in which white space counts, too."""

    default_error_messages = _MESSAGES

    def __init__(self, **options: Any) -> None:
        metadata = {"minLength": 1, "maxLength": PASSWORD_MAX_LENGTH, **options.pop("metadata", {})}
        super().__init__(metadata=metadata, **options)

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> str:
        text = _text(value)
        if not text:
            raise self.make_error("required")
        try:
            normalised(text)
        except PasswordTooLong:
            raise ValidationError(f"This may have at most {PASSWORD_MAX_LENGTH} characters.") from None
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("This holds half a character.")
        return text


class Flag(fields.Boolean):
    """A boolean; no string or number is accepted for it."""

    default_error_messages = _MESSAGES

    def __init__(self, **options: Any) -> None:
        super().__init__(**_optional(options))

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
        return value


class Lines(fields.List[str]):
    """A list of lines of text, without repeated ones."""

    default_error_messages = _MESSAGES

    def __init__(self, **options: Any) -> None:
        metadata = {"maxItems": MAX_GROUPS, **options.pop("metadata", {})}
        super().__init__(Line(required=True), metadata=metadata, **_optional(options))

    def _deserialize(  # type: ignore[override] # an immutable tuple in place of a list
        self, value: Any, *_arguments: Any, **_options: Any
    ) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError("This must be a list of strings.")
        if len(value) > MAX_GROUPS:
            raise ValidationError(f"This may have at most {MAX_GROUPS} entries.")
        lines: list[Any] = super()._deserialize(value, *_arguments, **_options)
        return tuple(dict.fromkeys(lines))


def _described(options: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a line for the OpenAPI description, with a maximum length and a pattern as defaults."""
    metadata = options.get("metadata", {})
    pattern = _PLAIN_AND_NOT_BLANK if options.get("required") else _PLAIN
    shape = {} if metadata.keys() & _SHAPES else {"pattern": pattern}
    return {"maxLength": STRING_LENGTH, **shape, **metadata}


def _optional(options: dict[str, Any]) -> dict[str, Any]:
    """Return a field's options; a field that is not required may be null, and is None when it is absent."""
    return options if options.get("required") else {"allow_none": True, "load_default": _no_value, **options}


def _no_value() -> None:
    """Return None; as a function, since the OpenAPI description would list a plain None as the default."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValidationError(_NO_TEXT)
    return value
