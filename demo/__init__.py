"""A demo shop on another host name that shows the portal in a frame: `make demo`."""
