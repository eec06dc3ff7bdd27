"""Storage: databases, migrations and counters. It knows no rule of the portal."""
