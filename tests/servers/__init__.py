"""Real servers from Python packages, on loopback and ports of their own."""
