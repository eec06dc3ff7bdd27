"""What the portal knows and decides: no Flask, no HTTP, no command line in here."""
