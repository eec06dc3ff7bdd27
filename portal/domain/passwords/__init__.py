"""Passwords: the policy for new ones, hashing, and hashes that other systems made."""
