"""The real ports: the clock on the wall, and ids that nobody has seen before. Nothing else may ask for either."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Return the seconds since some moment, by a clock that is never set."""
    return time.monotonic()


def new_id() -> UUID:
    """Return a new uuid7: unique, and sorted by the time it was made."""
    return uuid_utils.compat.uuid7()
