"""What others build sign-in with, measured beside the portal: `make bench-peers`, explained in docs/performance.md.

Each peer is one module with `create_app`, which the server calls, and `create_customers`. It runs in an environment of
its own (requirements-peers.lock) and reads from the process's environment what benchmarks/instance.py writes there.
"""
