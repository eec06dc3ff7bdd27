"""Alembic's scripts: every schema the portal has had, in order. Run through portal/storage/schema.py only.

A migration only adds (tables, columns that are empty or have a default, indexes that refuse nothing), so that portals
of the version before go on serving while the new one is brought in; tests/test_expansion.py holds each to it. What
nobody uses any more is taken away a version later, by a migration that says why under the name `takes_away`.

There is no way down: undoing a migration would throw away what customers have stored since. A backup is the way back.
"""
