"""What all values share: the error for a text that is none."""


class InvalidValue(ValueError):
    """The text has no normal form; the message (for the translators) says what to do."""
