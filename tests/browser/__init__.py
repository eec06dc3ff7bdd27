"""Tests that drive a real Chromium against a portal that really serves."""
