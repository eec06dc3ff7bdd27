"""The mail worker: sends the due emails of the outbox one at a time, and deletes old data each hour."""

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
from portal.domain.outbox import Notice
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
"""The interval at which the worker checks whether the clock was set back."""
PAUSE_SECONDS = (5.0, 10.0, 20.0, 30.0)
"""The pauses after the first, second, … failure of the mail server in a row, shortened at random by up to a fifth."""
MAX_POLICY_REFUSALS = 3
"""After this many policy refusals in a row, the server seems to reject all emails of the portal."""
RECORD_ATTEMPTS = 5
RECORD_PAUSE_SECONDS = 1.0
_Write = Callable[[Connection, Clock], bool]
_log = logging.getLogger("portal.mail")
_random = SystemRandom()


class MailWorker:
    """Delivers the outbox of one app. Several may run in threads and processes; one of them sends each email.

    Each email is sent at least once, and not again after its result is stored. An email that cannot be rendered, or is
    refused, does not delay others. While the server is away or rejects the login, emails lose no attempts.
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
        self._has_delivered = False
        self.wake = Event()
        """Set this to have the worker check the outbox and `stop` at once."""

    def run(self, stop: Event) -> None:
        """Deliver emails until `stop` is set; the current one is finished."""
        ended = Event()
        renewing = Thread(target=self._renew_leases, args=(ended,), name="mail-lease", daemon=True)
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
        """Send all due emails, purge once an hour, and return the seconds to pause."""
        try:
            while not stop.is_set() and self._deliver_next():
                self._failures = 0
            self._purge_hourly()
        except Misconfigured as error:
            return self._pause("the mail server rejects all emails; check MAIL_*", error.reason)
        except ServerUnavailable as error:
            return self._pause("the mail server is not available", error.reason)
        except SQLAlchemyError as error:
            return self._pause("the database is not available", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the worker must not end
            return self._pause("unexpected error", type(error).__name__)
        finally:
            self._has_delivered = False
            self._transport.close()
        self._failures = 0
        return 0

    def _deliver_next(self) -> bool:
        """Send the next due email and store the result; return False if none is due. Raises ServerUnavailable."""
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
        has_just_delivered, self._has_delivered = self._has_delivered, False
        try:
            message = render(self._app, mail)
            sender = mail.organisation.sender or self._sender
            self._transport.send(message, sender)
        except PolicyRefused as error:
            self._record_policy_refusal(mail, error.reason, has_just_delivered=has_just_delivered)
        except RecipientRefused as error:
            self._record(mail, "refused, set aside", _with_reason(mail_delivery.mark_dead, mail, error.reason))
        except TryLater as error:
            self._record(mail, "put off", _with_reason(mail_delivery.retry_later, mail, error.reason))
        except ServerUnavailable as error:
            if isinstance(error, SenderRefused) and mail.organisation.sender is not None:
                # Only this organisation has this sender: the emails of others need not wait.
                slug = mail.organisation.slug
                _log.error("mail: the server rejects the sender of %s; change it (%s)", slug, error.reason)
                self._record(mail, "put off", _with_reason(mail_delivery.retry_later, mail, error.reason))
                return
            self._record(mail, None, lambda connection, _clock: mail_delivery.hand_back(connection, mail))
            raise
        except Exception as error:  # noqa: BLE001 - an email that cannot be rendered must not delay others
            # Only the class, since the message may contain personal data.
            reason = type(error).__name__
            self._record(mail, f"failed ({reason}), put off", _with_reason(mail_delivery.retry_later, mail, reason))
        else:
            self._refusals = 0
            self._has_delivered = True
            self._record(mail, "sent", lambda connection, clock: mail_delivery.mark_sent(connection, mail, clock))

    def _record_policy_refusal(self, mail: DueMail, reason: str, *, has_just_delivered: bool) -> None:
        """Retry the email later, or set it aside if its refusal is certainly about the email.

        A server that rejects all emails of the portal (a blocklist, for example) must not make it give up on any. So an
        email is set aside only at its second refusal, by a server that accepted the previous email on the same
        connection. Raises Misconfigured after several refusals in a row.
        """
        self._refusals += 1
        if has_just_delivered and mail.attempts:
            self._record(mail, "refused, set aside", _with_reason(mail_delivery.mark_dead, mail, reason))
            return
        self._record(mail, "refused, put off", _with_reason(mail_delivery.retry_later, mail, reason))
        if self._refusals >= MAX_POLICY_REFUSALS:
            raise Misconfigured(reason)

    def _record(self, mail: DueMail, outcome: str | None, write: _Write) -> None:
        if not self._write(write):
            outcome = f"{outcome or 'handed back'}, but another worker has taken it up"
        if outcome:
            _log.info("mail %d %s: %s", mail.id, mail.notice, outcome)
        if mail.notice == Notice.ERASED:  # its row, with the address of an erased customer, may be gone
            self._context.database.scrub()

    def _write(self, write: _Write) -> bool:
        """Store a result, with several attempts: an email that is not stored as sent is sent twice."""
        attempts_left = RECORD_ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                with self._context.database.write() as connection:
                    return write(connection, self._context.clock)
            except SQLAlchemyError:
                if not attempts_left:
                    raise
            sleep(RECORD_PAUSE_SECONDS)

    def _renew_leases(self, ended: Event) -> None:
        """Renew the lease of the current email, so that no other worker takes it while a slow server receives it."""
        while not ended.wait(RENEW_SECONDS):
            mail = self._sending
            if mail is None:
                continue
            # Without the database, no other worker can take the email either.
            with suppress(SQLAlchemyError), self._context.database.write() as connection:
                mail_delivery.renew(connection, mail, self._context.clock)

    def _bring_forward(self) -> None:
        now = monotonic()
        if self._brought_forward_at is not None and now < self._brought_forward_at + BRING_FORWARD_SECONDS:
            return
        if count := bring_forward(self._context.database, self._context.clock):
            _log.info("mail: the clock was set back; %d emails are due earlier", count)
        self._brought_forward_at = now

    def _purge_hourly(self) -> None:
        now = monotonic()
        if self._purged_at is not None and now < self._purged_at + PURGE_SECONDS:
            return
        self._purged_at = now
        purged = purge(self._context)
        if any(purged.values()):
            _log.info(
                "retention: deleted %s", ", ".join(f"{count} of {table}" for table, count in purged.items() if count)
            )
        if count := reencrypt(self._context):
            _log.info("second step: %d secrets encrypted with the current SECRET_KEY", count)

    def _pause(self, problem: str, reason: str) -> float:
        """Log one line and return the seconds to pause, at random, so that several workers do not retry together."""
        seconds = PAUSE_SECONDS[min(self._failures, len(PAUSE_SECONDS) - 1)] * _random.uniform(0.8, 1)
        self._failures += 1
        _log.error("mail: nothing is sent for %.0f seconds: %s (%s)", seconds, problem, reason)
        return seconds


def _with_reason(write: Callable[[Connection, DueMail, Clock, str], bool], mail: DueMail, reason: str) -> _Write:
    return lambda connection, clock: write(connection, mail, clock, reason)


def transport_of(app: Flask) -> Transport:
    """Return the transport of an app: its mail server, else the local mailbox."""
    settings = settings_of(app)
    return MaildirTransport(mailbox_folder(settings)) if settings.mail_server is None else SmtpTransport(app)
