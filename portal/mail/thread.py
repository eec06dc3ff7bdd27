"""The mail worker in a thread of its own."""

from threading import Event, Thread

from flask import Flask

from portal.mail.worker import MailWorker


class MailThread(Thread):
    """The mail worker, beside whatever the main thread does; a process that has to end does not wait for it."""

    def __init__(self, app: Flask) -> None:
        super().__init__(name="mail", daemon=True)
        self._worker = MailWorker(app)
        self._stopped = Event()

    def run(self) -> None:
        """Deliver until stopped."""
        self._worker.run(self._stopped)

    def stop(self) -> None:
        """End after the mail that is being sent."""
        self._stopped.set()
        self._worker.wake.set()
