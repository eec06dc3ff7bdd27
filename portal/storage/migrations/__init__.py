"""Alembic's migrations, run by portal/storage/schema.py only.

A migration only adds (tables, columns that are nullable or have a default, indexes that reject nothing), so that the
previous version keeps running during a deployment; tests/storage/test_expansion.py checks each. Unused tables and
columns are removed one version later, by a migration that gives the reason in `takes_away`.

There are no downgrades: they would delete data that customers have stored since. Restore a backup instead.
"""
