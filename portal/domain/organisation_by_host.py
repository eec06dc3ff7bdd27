"""Which organisation's pages stand at a host: read once, then told from memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

from portal.domain.organisations import DEFAULT, Organisation, UnknownOrganisation, list_organisations
from portal.storage.backends import DatabaseUnavailable
from portal.storage.clock import Clock
from portal.storage.database import Database

FRESH_FOR = timedelta(seconds=3)
"""How long a change by `portal organisation set` may go unnoticed."""


@dataclass(frozen=True)
class _Snapshot:
    read_at: datetime
    default: Organisation
    by_hostname: Mapping[str, Organisation]


class OrganisationsByHost:
    """All organisations by their host names. One for the whole process; safe to share between threads.

    A request costs no query, whatever host it names, and unknown hosts leave nothing behind. While the database is
    away, what was known stays known.
    """

    def __init__(self, database: Database, clock: Clock, portal_hostname: str) -> None:
        self._database = database
        self._clock = clock
        self._portal_hostname = portal_hostname
        self._reading = Lock()
        self._snapshot: _Snapshot | None = None
        self._failed_at = 0.0

    def serving(self, hostname: str) -> Organisation:
        """The organisation that has a host name (in lower case), else the default one.

        The host of BASE_URL is the default one's. Raises what the database raises, as long as it was never read.
        """
        snapshot = self._current()
        if hostname == self._portal_hostname:
            return snapshot.default
        return snapshot.by_hostname.get(hostname, snapshot.default)

    def _current(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            return self._first()
        # One thread reads; the others go on with what is known.
        if self._is_fresh(snapshot) or not self._reading.acquire(blocking=False):
            return snapshot
        try:
            return self._renewed()
        finally:
            self._reading.release()

    def _first(self) -> _Snapshot:
        """One reads; whoever waits for that gets what came of it, a failure too: in turn they would wait for hours."""
        created = monotonic()
        with self._reading:
            if self._failed_at > created:
                raise DatabaseUnavailable("the organisations could not be read")
            try:
                return self._renewed()
            except DatabaseUnavailable:
                self._failed_at = monotonic()
                raise

    def _renewed(self) -> _Snapshot:
        if self._snapshot is None or not self._is_fresh(self._snapshot):
            self._snapshot = self._read(self._snapshot)
        return self._snapshot

    def _is_fresh(self, snapshot: _Snapshot) -> bool:
        return timedelta(0) <= self._clock() - snapshot.read_at < FRESH_FOR  # a clock may be set back

    def _read(self, known: _Snapshot | None) -> _Snapshot:
        now = self._clock()
        try:
            with self._database.read() as connection:
                found = list_organisations(connection)
        except DatabaseUnavailable:
            if known is None:
                raise
            return _Snapshot(now, known.default, known.by_hostname)  # asked again after a while
        for organisation in found:
            if organisation.slug == DEFAULT:
                return _Snapshot(now, organisation, {one.hostname: one for one in found if one.hostname is not None})
        raise UnknownOrganisation(DEFAULT)
