"""Real servers out of wheels, on loopback and ports of their own: to be used, and to be broken."""
