"""The rules of the portal. Nothing here imports Flask, HTTP or the command line."""
