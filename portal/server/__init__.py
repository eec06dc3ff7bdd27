"""The WSGI server: waitress in one process, with strict parsing, time limits and a graceful shutdown.

waitress reads the whole request before a thread handles it, so slow clients occupy no thread.
"""
