"""A shop on a host of its own that shows a running portal in a frame: `make demo`."""
