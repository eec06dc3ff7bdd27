"""Render and deliver the emails of the outbox."""
