"""The composition root: gives services their clock, their ids and each other."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import uuid_utils.compat

from dispatcher.core.ports import NoWakeup, Ports, Wakeup


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """Return a new uuid7: unique, and sorted by the time it was made."""
    return uuid_utils.compat.uuid7()


def real_ports(wakeup: Wakeup | None = None) -> Ports:
    """Return the ports of a real process."""
    return Ports(now, new_id, wakeup or NoWakeup())
