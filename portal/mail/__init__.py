"""Rendering and delivering what the outbox holds."""
