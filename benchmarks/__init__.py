"""Benchmarks of the portal beside a minimal reference in the same run: `make bench`.

No benchmark asserts a time: times differ between machines, ratios hardly do. CPU times are read from Linux.
"""
