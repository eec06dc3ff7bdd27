"""States that need more steps than to open a page and send its form."""
