"""Use cases: what customers and shops do, one file each, named as a verb."""
