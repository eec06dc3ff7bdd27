"""The portal's settings: their declarations, reading them, and validating their values."""

from portal.settings.addresses import is_loopback_host, sqlite_url
from portal.settings.declarations import DATABASE_FILE, DEFAULT_LIMITS, Settings
from portal.settings.reading import (
    PREFIX,
    SETTINGS_FILE,
    WrongSetting,
    inspect_settings,
    load_settings,
    unknown_variables,
    warn_of_unknown_variables,
)

__all__ = [
    "DATABASE_FILE",
    "DEFAULT_LIMITS",
    "PREFIX",
    "SETTINGS_FILE",
    "Settings",
    "WrongSetting",
    "inspect_settings",
    "is_loopback_host",
    "load_settings",
    "sqlite_url",
    "unknown_variables",
    "warn_of_unknown_variables",
]
