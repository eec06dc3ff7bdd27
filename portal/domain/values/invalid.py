"""The error of all parsers of values."""


class InvalidValue(ValueError):
    """The text is invalid. The message (marked for translation) says what to enter."""
