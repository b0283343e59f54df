"""The real ports: the clock on the wall, and ids that nobody has seen before. Nothing else may ask for either."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID, SafeUUID

import uuid_utils

#: Each look for it in the enumeration takes as long as an id does.
_UNKNOWN = SafeUUID.unknown


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Return the seconds since some moment, by a clock that is never set."""
    return time.monotonic()


def new_id() -> UUID:
    """Return a new uuid7: unique, and sorted by the time it was made."""
    made = object.__new__(UUID)  # its own way looks at each of the six forms that a uuid may be given in
    object.__setattr__(made, "int", uuid_utils.uuid7().int)
    object.__setattr__(made, "is_safe", _UNKNOWN)
    return made
