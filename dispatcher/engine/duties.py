"""Duties: everything that the services do by themselves, when its time comes."""

from __future__ import annotations

from datetime import timedelta

from dispatcher.engine.clock import Duty
from dispatcher.services import holds, occurrences, queues, removals
from dispatcher.services.clockwork import BATCH
from dispatcher.services.dispatchers import HEARTBEAT
from dispatcher.services.hall import Hall
from dispatcher.services.waking import LOOK_EVERY

#: How often launch timeouts are looked at: they are long and need no punctuality.
OVERDUE_EVERY = timedelta(seconds=10)
#: How often it is seen to that nothing waits for agents that were removed.
SETTLE_EVERY = timedelta(seconds=10)
#: How often it is seen to that devices need not wait for a gateway that is away.
RELIEVE_EVERY = timedelta(seconds=30)
#: How often queues are rid of what has ended: looking for the next one costs what they are long.
TIDY_EVERY = timedelta(seconds=10)

#: How often what nobody needs any more is looked for.
CLEAN_EVERY = timedelta(hours=1)


def duties_of(hall: Hall) -> list[Duty]:
    """Return what *hall* has to do."""
    return [
        Duty(hall.clockwork.activate_due, hall.clockwork.next_moment, batch=BATCH),
        Duty(hall.occurrences.fire_due, hall.occurrences.next_moment, batch=occurrences.BATCH),
        Duty(hall.occurrences.release_held, hall.occurrences.held_moment),
        Duty(hall.clockwork.time_out, hall.clockwork.next_end, batch=BATCH),
        Duty(hall.holds.release_due, hall.holds.next_moment, batch=holds.BATCH),
        Duty(hall.queues.advance, batch=queues.BATCH),
        Duty(hall.queues.clean, every=TIDY_EVERY, batch=queues.BATCH),
        Duty(hall.recovery.take_back, hall.recovery.next_moment),
        Duty(hall.clockwork.cancel_overdue, every=OVERDUE_EVERY),
        Duty(hall.dispatchers.beat, every=HEARTBEAT),
        Duty(hall.retention.sweep, hall.retention.next_moment),
        Duty(hall.resources.clean, every=CLEAN_EVERY),
        Duty(hall.relief.relieve, every=RELIEVE_EVERY),
        Duty(hall.removals.settle, every=SETTLE_EVERY),
        Duty(hall.gone_agents.remove, every=SETTLE_EVERY),
        Duty(hall.removals.forget, every=CLEAN_EVERY, batch=removals.BATCH),
        Duty(hall.waking.look, every=LOOK_EVERY),
    ]
