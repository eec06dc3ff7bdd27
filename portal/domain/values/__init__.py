"""Parsers of single values: each validates its input and returns the normal form."""
