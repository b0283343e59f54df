"""Checkpoints: what SQLite has committed to its log is carried over into the file by a thread of its own.

Else every thousand pages a commit would do that, too, and all who wait for this commit would wait three times as long.
"""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy import Engine

log = structlog.get_logger(__name__)

#: After how many commits the log is carried over ...
COMMITS = 16
#: ... and how long it is left alone before, in seconds: the more is carried over at once, the fewer pages are twice.
REST_S = 0.2
#: How many pages the log may have, 64 MiB, before a commit carries them over after all: it begins anew only when it
#: was empty for a moment, and where commits never cease it is not.
MOST_PAGES = 16_000
#: How long nothing is said of failures after one, in seconds.
SILENT_S = 60


class Checkpoints:
    """Carries over what is committed. ``close`` ends the thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._commits = 0
        self._is_due = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="datastore-checkpoints", daemon=True)
        self._thread.start()

    def note(self) -> None:
        """Count a commit. Called by one thread at a time."""
        self._commits += 1
        if self._commits >= COMMITS:
            self._commits = 0
            self._is_due.set()

    def close(self) -> None:
        """End the thread; the last connection that closes carries over the rest."""
        self._closed.set()
        self._is_due.set()
        self._thread.join()

    def _run(self) -> None:
        silent_until = 0.0
        while self._is_due.wait() and not self._closed.wait(REST_S):
            self._is_due.clear()
            if self._closed.is_set():  # just now: what was cleared may be the last that ``close`` set
                return
            try:
                with self._engine.connect() as connection:
                    driver = connection.connection.dbapi_connection
                    assert driver is not None  # noqa: S101 - the connection is open
                    # Passive: nobody is waited for, and nobody waits.
                    driver.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except Exception:  # commits do it sooner or later
                if time.monotonic() >= silent_until:  # the log may be on the disk that is full
                    log.exception("datastore.not_carried_over")
                    silent_until = time.monotonic() + SILENT_S
