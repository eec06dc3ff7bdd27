"""The policy for new passwords, password hashing, and imported hashes of other systems."""
