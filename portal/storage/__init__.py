"""Databases, migrations and rate limit counters, without any rule of the portal."""
