"""Verified: whose credentials were right of late, kept until logins, roles or settings change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from dispatcher.core.permissions import Caller
from dispatcher.datastore import revisions
from dispatcher.datastore.logins import Login
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.settings import Settings

#: How many verified credentials are remembered.
MAX_VERIFIED = 10_000


class Remembered(NamedTuple):
    """A *caller* whose credentials were right; *name* is what lock-outs count of those, if they do."""

    caller: Caller
    until: datetime
    name: str


@dataclass(slots=True)
class Known:
    """What is known of one state of logins, roles and settings: forgotten as soon as one of the revisions changes."""

    revisions: tuple[int, int]
    has_logins: bool
    callers: OrderedDict[bytes, Remembered] = field(default_factory=OrderedDict)
    #: The digests of what was sent by hashes of it, which say nothing: for the loop, which has no time to digest.
    digests: OrderedDict[int, bytes] = field(default_factory=OrderedDict)


class Verified:
    """Remembers callers by a digest of their credentials. Safe to share between threads.

    Whoever has looked what is known finds in *settings* as ``known`` what holds now: one look at the datastore is
    enough for both.
    """

    def __init__(self, datastore: Datastore, settings: Settings) -> None:
        self._datastore = datastore
        self._settings = settings
        self._lock = threading.Lock()
        #: What was known when somebody last asked; None before.
        self.last: Known | None = None

    def current(self) -> Known:
        """Return what is known of logins, roles and settings as they are now."""
        known = self.last
        if known is not None:
            marks = _marks(self._datastore.revisions())
            # The settings by their own mark: others read them, too, and may have left them a step behind or ahead.
            if marks == known.revisions and marks[1] == self._settings.known().revision:
                return known
        with self._datastore.read() as session:
            marks = _marks(revisions.current(session))
            has_logins = session.scalar(select(Login.id).limit(1)) is not None
        self._settings.current()
        with self._lock:
            known = self.last
            # Another request may have read the same at the same time: both must remember in one place.
            if known is None or known.revisions != marks:
                known = self.last = Known(marks, has_logins)
        return known

    def remembers(self, sent: Hashable, now: datetime) -> bool:
        """Whether it is likely that who has *sent* this is found, as ``note`` was told. Costs next to nothing."""
        known = self.last
        return known is not None and self.find(known, known.digests.get(hash(sent), b""), now) is not None

    def note(self, known: Known, sent: Hashable, digest: bytes) -> None:
        """Note that credentials which were *sent* like this have *digest*."""
        with self._lock:
            known.digests[hash(sent)] = digest
            if len(known.digests) > MAX_VERIFIED:
                known.digests.popitem(last=False)

    def find(self, known: Known, digest: bytes, now: datetime) -> Remembered | None:
        """Return the caller whose credentials have *digest*; None if they have to be verified."""
        remembered = known.callers.get(digest)
        return remembered if remembered is not None and now < remembered.until else None

    def remember(self, known: Known, digest: bytes, caller: Caller, until: datetime, name: str = "") -> None:
        """Remember *caller* until *until*, unless logins, roles or settings change before."""
        with self._lock:
            known.callers[digest] = Remembered(caller, until, name)
            if len(known.callers) > MAX_VERIFIED:
                known.callers.popitem(last=False)


def _marks(current: Mapping[str, int]) -> tuple[int, int]:
    return current[revisions.SECURITY], current[revisions.SETTINGS]
