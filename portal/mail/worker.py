"""The mail worker: takes what is due from the outbox, one mail after another, and cleans up once an hour."""

import logging
from collections.abc import Callable
from contextlib import suppress
from random import SystemRandom
from threading import Event, Thread
from time import monotonic, sleep

from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from portal.app import context_of, settings_of
from portal.domain.operations import mail_delivery
from portal.domain.operations.clock_steps import bring_forward
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.operations.reencrypt import reencrypt
from portal.domain.operations.retention import purge
from portal.domain.tokens import random_id
from portal.mail.render import render
from portal.mail.smtp import SmtpTransport
from portal.mail.transport import (
    MaildirTransport,
    Misconfigured,
    PolicyRefused,
    RecipientRefused,
    SenderRefused,
    ServerUnavailable,
    Transport,
    TryLater,
    mailbox_folder,
)
from portal.storage.clock import Clock

POLL_SECONDS = 1.0
RENEW_SECONDS = mail_delivery.LEASE.total_seconds() / 3
PURGE_SECONDS = 3600.0
BRING_FORWARD_SECONDS = 10.0
"""How often, between two mails or when none is due, it looks whether the clock that all go by was set back."""
PAUSE_SECONDS = (5.0, 10.0, 20.0, 30.0)
"""How long nothing is sent after one failure of the server, after two in a row, and so on; less a fifth at random."""
REFUSALS_OF_ALL = 3
"""So many refusals by policy in a row, with no mail taken in between, are about us and not about the recipients."""
RECORD_TRIES = 5
RECORD_PAUSE_SECONDS = 1.0
_Write = Callable[[Connection, Clock], bool]
_log = logging.getLogger("portal.mail")
_random = SystemRandom()


class MailWorker:
    """Delivers the outbox of one app. Any number may run, in threads and processes: each mail goes to one of them.

    A mail is sent at least once, and not again once its result is stored. One that cannot be built, or is refused,
    holds nobody else's up; a server that is away or wants another login costs no mail a try.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._context = context_of(app)
        self._sender = settings_of(app).mail_default_sender
        self._transport = transport_of(app)
        self._sending: DueMail | None = None
        self._purged_at: float | None = None
        self._brought_forward_at: float | None = None
        self._failures = 0
        self._refusals = 0
        self._has_taken_one = False
        self.wake = Event()
        """Set it to have the worker look at once, at its outbox or at whether it should stop."""

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; the mail that is being sent then is finished."""
        ended = Event()
        renewing = Thread(target=self._keep_leases, args=(ended,), name="mail-lease", daemon=True)
        renewing.start()
        try:
            while not stop.is_set():
                pause = self.work(stop)
                if pause:
                    stop.wait(pause)
                else:
                    self.wake.wait(POLL_SECONDS)
                    self.wake.clear()
        finally:
            ended.set()
            renewing.join()

    def work(self, stop: Event) -> float:
        """Send everything that is due, and purge when it is time; returns for how many seconds to pause then."""
        try:
            while not stop.is_set() and self._deliver_next():
                self._failures = 0
            self._purge_hourly()
        except Misconfigured as error:
            return self._pause("the mail server refuses us", error.reason)
        except ServerUnavailable as error:
            return self._pause("the mail server cannot be used", error.reason)
        except SQLAlchemyError as error:
            return self._pause("the database does not answer", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the worker outlives whatever it was
            return self._pause("something unexpected", type(error).__name__)
        finally:
            self._has_taken_one = False
            self._transport.close()
        self._failures = 0
        return 0

    def _deliver_next(self) -> bool:
        """Take the next mail and see it through; whether there was one. Raises ServerUnavailable."""
        self._bring_forward()
        with self._context.database.write() as connection:
            mail = mail_delivery.claim_next(connection, self._context.clock, random_id())
        if mail is None:
            return False
        if reason := mail.obsolete:
            self._record(mail, "expired", _with_reason(mail_delivery.mark_expired, mail, reason))
            return True
        self._sending = mail
        try:
            self._send(mail)
        finally:
            self._sending = None
        return True

    def _send(self, mail: DueMail) -> None:
        has_just_taken_one, self._has_taken_one = self._has_taken_one, False
        try:
            message = render(self._app, mail)
            sender = mail.organisation.sender or self._sender
            self._transport.send(message, sender)
        except PolicyRefused as error:
            self._weigh(mail, error.reason, has_just_taken_one=has_just_taken_one)
        except RecipientRefused as error:
            self._record(mail, "refused, set aside", _with_reason(mail_delivery.mark_dead, mail, error.reason))
        except TryLater as error:
            self._record(mail, "put off", _with_reason(mail_delivery.retry_later, mail, error.reason))
        except ServerUnavailable as error:
            if isinstance(error, SenderRefused) and mail.organisation.sender is not None:
                # Its own sender: the mails of the others are not to wait for that.
                _log.error("the mail server refuses the sender of %s (%s)", mail.organisation.slug, error.reason)
                self._record(mail, "put off", _with_reason(mail_delivery.retry_later, mail, error.reason))
                return
            self._record(mail, None, lambda connection, _clock: mail_delivery.hand_back(connection, mail))
            raise
        except Exception as error:  # noqa: BLE001 - a mail that cannot be built must not hold up the others
            # Only the class: the text of an unknown exception may hold anything.
            reason = type(error).__name__
            self._record(mail, f"failed ({reason}), put off", _with_reason(mail_delivery.retry_later, mail, reason))
        else:
            self._refusals = 0
            self._has_taken_one = True
            self._record(mail, "sent", lambda connection, clock: mail_delivery.mark_sent(connection, mail, clock))

    def _weigh(self, mail: DueMail, reason: str, *, has_just_taken_one: bool) -> None:
        """A server that refuses us whatever we send (a list of bad senders, say) is to cost no mail its life.

        One that is refused is put off, and set aside when it is refused again by a server that has taken the one before
        it on the same connection: what it took from another worker, or earlier, says nothing of what it takes now.
        Raises Misconfigured when several in a row were refused.
        """
        self._refusals += 1
        if has_just_taken_one and mail.attempts:
            self._record(mail, "refused, set aside", _with_reason(mail_delivery.mark_dead, mail, reason))
            return
        self._record(mail, "refused, put off", _with_reason(mail_delivery.retry_later, mail, reason))
        if self._refusals >= REFUSALS_OF_ALL:
            raise Misconfigured(reason)

    def _record(self, mail: DueMail, outcome: str | None, write: _Write) -> None:
        if not self._write(write):
            outcome = f"{outcome or 'handed back'}, but another worker has taken it up"
        if outcome:
            _log.info("mail %d %s: %s", mail.id, mail.notice, outcome)

    def _write(self, write: _Write) -> bool:
        """Store a result, patiently: a mail that was sent and is not stored as sent goes out twice."""
        tries_left = RECORD_TRIES
        while True:
            tries_left -= 1
            try:
                with self._context.database.write() as connection:
                    return write(connection, self._context.clock)
            except SQLAlchemyError:
                if not tries_left:
                    raise
            sleep(RECORD_PAUSE_SECONDS)

    def _keep_leases(self, ended: Event) -> None:
        """While a mail is being sent, however slowly, nobody else takes it up."""
        while not ended.wait(RENEW_SECONDS):
            mail = self._sending
            if mail is None:
                continue
            # Without the database there is no other worker either, and the result will say how it went.
            with suppress(SQLAlchemyError), self._context.database.write() as connection:
                mail_delivery.renew(connection, mail, self._context.clock)

    def _bring_forward(self) -> None:
        now = monotonic()
        if self._brought_forward_at is not None and now < self._brought_forward_at + BRING_FORWARD_SECONDS:
            return
        if count := bring_forward(self._context.database, self._context.clock):
            _log.info("the clock was set back, brought forward: %d mails", count)
        self._brought_forward_at = now

    def _purge_hourly(self) -> None:
        now = monotonic()
        if self._purged_at is not None and now < self._purged_at + PURGE_SECONDS:
            return
        self._purged_at = now
        purged = purge(self._context)
        if any(purged.values()):
            _log.info("purged: %s", ", ".join(f"{count} of {table}" for table, count in purged.items() if count))
        if count := reencrypt(self._context):
            _log.info("encrypted with the current SECRET_KEY: %d secrets of authenticator apps", count)

    def _pause(self, problem: str, reason: str) -> float:
        """One loud line for each pause, however many mails wait; shorter at random, so that workers spread out."""
        seconds = PAUSE_SECONDS[min(self._failures, len(PAUSE_SECONDS) - 1)] * _random.uniform(0.8, 1)
        self._failures += 1
        _log.error("no mail is sent for %.0f seconds: %s (%s)", seconds, problem, reason)
        return seconds


def _with_reason(write: Callable[[Connection, DueMail, Clock, str], bool], mail: DueMail, reason: str) -> _Write:
    return lambda connection, clock: write(connection, mail, clock, reason)


def transport_of(app: Flask) -> Transport:
    """Return what the mails of an app leave by: its mail server, else the local mailbox."""
    settings = settings_of(app)
    return MaildirTransport(mailbox_folder(settings)) if settings.mail_server is None else SmtpTransport(app)
