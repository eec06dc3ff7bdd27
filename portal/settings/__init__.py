"""The portal's settings: declared (declarations.py), read (reading.py), and their values checked (values.py)."""

from portal.settings.declarations import DATABASE_FILE, DEFAULT_LIMITS, Settings, is_loopback_host, sqlite_url
from portal.settings.reading import PREFIX, SETTINGS_FILE, WrongSetting, load_settings, look_at_settings

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
]
