"""Lock-outs: who failed to log in too often lately, by login name and network address."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from datetime import datetime, timedelta

from dispatcher.core.ports import Now

#: So many failures ...
FAILURES = 10
#: ... in so long a time lock a name out at an address, until the first of them is that old.
WINDOW = timedelta(minutes=15)
#: How many names and addresses are remembered; the ones that failed longest ago are forgotten first.
MAX_REMEMBERED = 10_000

Key = tuple[str, str]
"""A login's name key and a network address."""


class Lockout:
    """Counts failures. Attempts that are refused by a lock-out do not prolong it. Safe to share between threads."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures: OrderedDict[Key, deque[datetime]] = OrderedDict()

    def holds(self, key: Key) -> bool:
        """Whether *key* is locked out at this moment."""
        if key not in self._failures:  # as most: nothing to wait for
            return False
        with self._lock:
            failures = self._failures.get(key)
            return failures is not None and len(failures) == FAILURES and self._now() < failures[0] + WINDOW

    def count(self, key: Key) -> bool:
        """Note a failure of *key*; return whether it is locked out by this one."""
        with self._lock:
            failures = self._failures.setdefault(key, deque(maxlen=FAILURES))
            failures.append(self._now())
            self._failures.move_to_end(key)
            if len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)
            return len(failures) == FAILURES and failures[-1] < failures[0] + WINDOW
