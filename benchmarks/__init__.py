"""Benchmarks of the portal beside bare references in the same rounds: `make bench`, explained in docs/performance.md.

No benchmark asserts a time: times differ between machines, ratios hardly do. CPU times are read from Linux.
"""
