"""The WSGI server: waitress in one process, stricter about requests, and patient at its end.

waitress reads requests whole before a thread is spent on them, so slow clients hold no thread.
"""
