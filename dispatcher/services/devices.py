"""Devices: computers without agent software, which agents work for (see ``services.gateways``)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from dispatcher.datastore.agents import AGENTS
from dispatcher.datastore.base import Row
from dispatcher.services.topology import Target, Topology

_BY_NUMBERS = select(AGENTS.c.number, AGENTS.c.id).where(AGENTS.c.number.in_(bindparam("numbers", expanding=True)))


def targets_of(session: Session, topology: Topology, runs: Collection[Row]) -> dict[UUID, Target]:
    """Return whom *runs* (their ``id``, ``agent_id`` and ``device``) are for, by the ids of the runs.

    Those are missing of which who works was removed, or the device.
    """
    numbers = {run["device"] for run in runs} - {0}
    devices: dict[int, UUID] = {}
    if numbers:
        devices = dict(session.connection().execute(_BY_NUMBERS, {"numbers": sorted(numbers)}).tuples().all())
    known = topology.targets(session, {run["agent_id"] for run in runs} | set(devices.values()))
    found = {}
    for run in runs:
        worker, device = known.get(run["agent_id"]), run["device"]
        target = known.get(devices[device]) if device in devices else None if device else worker
        if worker is not None and target is not None:
            found[run["id"]] = served(target, worker if device else None)
    return found


def served(target: Target, worker: Target | None) -> Target:
    """Return *target* as one that *worker* works for, if it is given."""
    return target if worker is None else replace(target, worker_id=worker.id)
