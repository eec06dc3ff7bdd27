"""The portal's settings: declared (declarations.py), read (reading.py), and their values checked (values.py)."""

from portal.settings.declarations import DATABASE_FILE, DEFAULT_LIMITS, Settings, is_loopback_host
from portal.settings.reading import (
    PREFIX,
    SETTINGS_FILE,
    WrongSetting,
    load_settings,
    look_at_settings,
    unknown_variables,
    warn_of_unknown_variables,
)
from portal.settings.values import sqlite_url

__all__ = [
    "DATABASE_FILE",
    "DEFAULT_LIMITS",
    "PREFIX",
    "SETTINGS_FILE",
    "Settings",
    "WrongSetting",
    "is_loopback_host",
    "load_settings",
    "look_at_settings",
    "sqlite_url",
    "unknown_variables",
    "warn_of_unknown_variables",
]
