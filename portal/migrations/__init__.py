"""Alembic's scripts: every schema the portal has had, in order. Run through portal/schema.py only.

There is no way down: undoing a migration would throw away what customers have stored since. A backup is the way back.
"""
