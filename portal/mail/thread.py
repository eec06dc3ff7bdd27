"""A mail worker in a thread."""

from threading import Event, Thread

from flask import Flask

from portal.mail.worker import MailWorker


class MailThread(Thread):
    """Runs a mail worker in a daemon thread, so that a process can end without it."""

    def __init__(self, app: Flask) -> None:
        super().__init__(name="mail", daemon=True)
        self._worker = MailWorker(app)
        self._stopped = Event()

    def run(self) -> None:
        """Deliver emails until `stop` is called."""
        self._worker.run(self._stopped)

    def stop(self) -> None:
        """End the thread after the current email."""
        self._stopped.set()
        self._worker.wake.set()
