"""Look up the organisation of a host name, in a cache of all organisations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic

from portal.domain.organisations import DEFAULT, Organisation, UnknownOrganisation, list_organisations
from portal.storage.backends import DatabaseUnavailable
from portal.storage.clock import Clock
from portal.storage.database import Database

CACHE_LIFETIME = timedelta(seconds=3)
"""Maximum time before a change by `portal organisation set` takes effect."""


@dataclass(frozen=True)
class _Snapshot:
    read_at: datetime
    default: Organisation
    by_hostname: Mapping[str, Organisation]


class OrganisationsByHost:
    """All organisations by host name: one object for the whole process, thread-safe.

    A lookup runs no query, and unknown hosts use no memory. While the database is unavailable, the last known
    organisations are used.
    """

    def __init__(self, database: Database, clock: Clock, portal_hostname: str) -> None:
        self._database = database
        self._clock = clock
        self._portal_hostname = portal_hostname
        self._reading = Lock()
        self._snapshot: _Snapshot | None = None
        self._failed_at = 0.0

    def serving(self, hostname: str) -> Organisation:
        """Return the organisation with a host name (in lower case), else the default organisation.

        The host of BASE_URL belongs to the default organisation. Raises DatabaseUnavailable until the first successful
        read.
        """
        snapshot = self._current()
        if hostname == self._portal_hostname:
            return snapshot.default
        return snapshot.by_hostname.get(hostname, snapshot.default)

    def _current(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            return self._read_first()
        # One thread reads; the others use the old snapshot meanwhile.
        if self._is_fresh(snapshot) or not self._reading.acquire(blocking=False):
            return snapshot
        try:
            return self._refresh()
        finally:
            self._reading.release()

    def _read_first(self) -> _Snapshot:
        """Read for the first time. Threads that waited for a failed read fail too, instead of trying one by one."""
        started_at = monotonic()
        with self._reading:
            if self._failed_at > started_at:
                raise DatabaseUnavailable("the organisations could not be read")
            try:
                return self._refresh()
            except DatabaseUnavailable:
                self._failed_at = monotonic()
                raise

    def _refresh(self) -> _Snapshot:
        if self._snapshot is None or not self._is_fresh(self._snapshot):
            self._snapshot = self._read(self._snapshot)
        return self._snapshot

    def _is_fresh(self, snapshot: _Snapshot) -> bool:
        return timedelta(0) <= self._clock() - snapshot.read_at < CACHE_LIFETIME  # a clock may be set back

    def _read(self, previous: _Snapshot | None) -> _Snapshot:
        now = self._clock()
        try:
            with self._database.read() as connection:
                organisations = list_organisations(connection)
        except DatabaseUnavailable:
            if previous is None:
                raise
            return _Snapshot(now, previous.default, previous.by_hostname)  # read again after CACHE_LIFETIME
        by_hostname = {organisation.hostname: organisation for organisation in organisations if organisation.hostname}
        for organisation in organisations:
            if organisation.slug == DEFAULT:
                return _Snapshot(now, organisation, by_hostname)
        raise UnknownOrganisation(DEFAULT)
