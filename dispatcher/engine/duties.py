"""Duties: everything that the services do by themselves, when its time comes."""

from __future__ import annotations

from datetime import timedelta

from dispatcher.engine.clock import Duty
from dispatcher.services.clockwork import BATCH
from dispatcher.services.hall import Hall

#: How often launch timeouts are looked at: they are long and need no punctuality.
OVERDUE_EVERY = timedelta(minutes=1)


def duties_of(hall: Hall) -> list[Duty]:
    """Return what *hall* has to do."""
    return [
        Duty(hall.clockwork.activate_due, hall.clockwork.next_moment, batch=BATCH),
        Duty(hall.leasing.take_back, hall.leasing.next_moment),
        Duty(hall.clockwork.cancel_overdue, every=OVERDUE_EVERY),
    ]
