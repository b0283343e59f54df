"""Configuration keeping: what tasks have fetched from computers becomes versions as their runs end.

The texts come in parts beside the output, unmasked: masked ones would not be what the computers have. They are sealed
before they are stored, and only ``configurations`` opens them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from dispatcher.core import references
from dispatcher.core.parameters import Parameter
from dispatcher.core.ports import Ports
from dispatcher.core.references import Kind, variable_name
from dispatcher.datastore.base import Row
from dispatcher.datastore.configurations import CONFIGURATION_PARTS, CONFIGURATIONS, FETCHED_PARTS
from dispatcher.datastore.jobs import JOBS
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.targets import target, with_targets
from dispatcher.datastore.transactions import OUT_OF_ORDER
from dispatcher.services import key_checks
from dispatcher.services.alerts import Alerts
from dispatcher.services.configurations import content_of
from dispatcher.services.key_checks import KeyDoesNotFit
from dispatcher.services.locking import lock_agents
from dispatcher.services.plans import Plans
from dispatcher.services.secrets import Secrets, SecretUnreadable
from dispatcher.services.settings import Settings

log = structlog.get_logger(__name__)

ALL_VERSIONS = "ALL_VERSIONS"
#: The most that is held of one text: no task fetches a longer one.
MAX_BYTES = 1 << 28
#: Up to how many bytes of two versions are compared to count the lines that are different.
_MAX_COUNTED = 4 << 20


@dataclass(frozen=True, slots=True)
class FetchedText:
    """What an agent says in the end of a text that the task at ``position`` has fetched and its parts are here of."""

    position: int
    name: str  #: which configuration it is
    size: int
    sha256: bytes
    compared: bytes  #: the SHA-256 of what counts when versions are compared


@dataclass(frozen=True, slots=True)
class _Keep:
    """How a text is kept."""

    name: str
    keeps_all: bool
    alerts: bool


class ConfigurationKeeping:
    """Keeps versions. Works inside the caller's transaction."""

    def __init__(self, ports: Ports, secrets: Secrets, *, plans: Plans, alerts: Alerts, settings: Settings) -> None:
        self._ports = ports
        self._secrets = secrets
        self._plans = plans
        self._alerts = alerts
        self._settings = settings
        self._seal_bytes = len(secrets.seal_bytes(b""))  #: by how much a part is longer when it is sealed

    def hold(self, session: Session, run_id: UUID, fence: int, position: int, offset: int, data: bytes) -> None:
        """Store a part of a text that a task of the run, which is locked, has fetched; what is there already stays.

        Parts come in order. Dropped is what its task does not keep, and what goes beyond ``MAX_BYTES``.
        """
        size = func.length(FETCHED_PARTS.c.data)
        stored = select(FETCHED_PARTS.c.offset + size).where(_parts_of(run_id, fence, position))
        last = session.scalar(stored.order_by(FETCHED_PARTS.c.offset.desc()).limit(1))
        if not data or (last is not None and offset < last - self._seal_bytes):
            return
        if offset + len(data) > MAX_BYTES or (last is None and not self._is_kept(session, run_id, position)):
            log.warning("configuration.part_dropped", run_id=str(run_id), position=position, offset=offset)
            return
        row = {"run_id": run_id, "fence": fence, "position": position, "offset": offset}
        session.connection().execute(insert(FETCHED_PARTS), {**row, "data": self._secrets.seal_bytes(data)})

    def _is_kept(self, session: Session, run_id: UUID, position: int) -> bool:
        """Whether there is such a task, and what it fetches is to be kept."""
        run = session.execute(_RUN.where(RUNS.c.id == run_id)).mappings().one()
        modules = self._plans.outline(session, run["what"], run["os"])
        tasks = [task for module in modules for task in module["tasks"]]
        return position < len(tasks) and tasks[position]["settings"].get("keep") is not None

    def take(self, session: Session, fetched: Mapping[UUID, Sequence[FetchedText]]) -> None:
        """Keep what tasks of the runs, which have ended and are stored, have *fetched*.

        Runs end all the same if that fails: an alert says so then.
        """
        if not fetched:
            return
        rows = session.execute(_RUN.where(RUNS.c.id.in_(fetched)).order_by(RUNS.c.id)).mappings().all()
        # Two runs must not both follow the same version. All at once: locked one by one, two reports may deadlock.
        lock_agents(session, {row["resource"] for row in rows})
        for row in rows:
            try:
                with session.connection().begin_nested():
                    self._take(session, row, fetched[row["id"]])
            except OUT_OF_ORDER:
                raise  # the agent tells it all again
            except Exception:
                log.exception("configuration.not_kept", run_id=str(row["id"]))
                self._alert(session, row, "not_kept", f"what was fetched from {row['name']} could not be kept")
        # Also what could not be kept: it is of no use to anybody.
        session.execute(delete(FETCHED_PARTS).where(FETCHED_PARTS.c.run_id.in_(fetched)))

    def _alert(self, session: Session, run: Row, kind: str, message: str) -> None:
        self._alerts.put(session, f"configuration.{kind}", message, run["resource"], run["job_id"])

    def _take(self, session: Session, run: Row, texts: Sequence[FetchedText]) -> None:
        if not key_checks.is_noted(session, self._secrets):  # nobody could read it when the right one is back
            raise KeyDoesNotFit
        modules = self._plans.run(session, run["what"], run["parameters"], run["os"]).modules
        tasks = [(task, module.parameters) for module in modules for task in module.document["tasks"]]
        for text in texts:
            task, parameters = tasks[text.position]
            keep = task["settings"]["keep"]
            if keep["name"] != text.name:  # the platform of the agent has changed, and so has what is at which position
                raise ValueError(f"{keep['name']} is kept of task {text.position}, not {text.name}")
            fill = _filler(parameters)
            keeps_all = fill(keep.get("versions", "")).strip().upper() == ALL_VERSIONS
            alerts = fill(keep.get("alert", "")).strip().lower() == "true"
            self._keep(session, run, text, _Keep(keep["name"], keeps_all, alerts))

    def _keep(self, session: Session, run: Row, text: FetchedText, keep: _Keep) -> None:
        now, key = self._ports.now(), run["resource"]
        mine = (CONFIGURATIONS.c.agent_id == key) & (CONFIGURATIONS.c.name == keep.name)
        newest = select(CONFIGURATIONS).where(mine).order_by(CONFIGURATIONS.c.id.desc()).limit(1)
        last = session.execute(newest).mappings().first()
        is_same = last is not None and last["compared"] == text.compared
        if last is not None and is_same and not keep.keeps_all:
            session.execute(update(CONFIGURATIONS).where(CONFIGURATIONS.c.id == last["id"]).values(seen_at=now))
            return
        if not self._is_whole(session, run, text):  # the agent had no room for all of it
            message = f"the {keep.name} configuration of {run['name']} was not kept: a part of it was lost"
            self._alert(session, run, "incomplete", message)
            return
        row = {"id": self._ports.new_id(), "agent_id": key, "name": keep.name, "job_id": run["job_id"]}
        row |= {"sha256": text.sha256, "compared": text.compared, "size": text.size, "taken_at": now, "seen_at": now}
        session.connection().execute(insert(CONFIGURATIONS), row)
        self._adopt(session, run, text, row["id"])
        self._forget(session, mine)
        if last is not None and not is_same and keep.alerts:
            extent = self._extent(session, last, row)
            self._alert(session, run, "changed", f"the {keep.name} configuration of {run['name']} has changed{extent}")

    def _is_whole(self, session: Session, run: Row, text: FetchedText) -> bool:
        """Whether all of the text is here, as it was fetched."""
        digest, size = hashlib.sha256(), 0
        parts = select(FETCHED_PARTS.c.data).where(_parts(run, text)).order_by(FETCHED_PARTS.c.offset)
        for sealed in session.scalars(parts):
            data = self._secrets.open_bytes(sealed)
            digest.update(data)
            size += len(data)
        return (size, digest.digest()) == (text.size, text.sha256)

    @staticmethod
    def _adopt(session: Session, run: Row, text: FetchedText, version_id: UUID) -> None:
        """Copy the parts of the text, sealed as they are."""
        version = literal(version_id, CONFIGURATION_PARTS.c.configuration_id.type)
        parts = select(version, FETCHED_PARTS.c.offset, FETCHED_PARTS.c.data).where(_parts(run, text))
        session.execute(insert(CONFIGURATION_PARTS).from_select(["configuration_id", "offset", "data"], parts))

    def _extent(self, session: Session, last: Row, new: Mapping[str, Any]) -> str:
        """Return in words how many lines are different; nothing if that cannot be found out, or not soon."""
        if max(last["size"], new["size"]) > _MAX_COUNTED:
            return ""
        try:
            before, after = (content_of(session, self._secrets, one["id"]).splitlines() for one in (last, new))
        except SecretUnreadable:  # the one before is of another key
            return ""
        left, right = set(before), set(after)
        added, gone = sum(line not in left for line in after), sum(line not in right for line in before)
        return f": {added} lines are new, {gone} gone"

    def _forget(self, session: Session, mine: Any) -> None:
        """Remove the oldest versions of a configuration, so that no more are left than the settings say."""
        most = self._settings.current().number("retention.configuration_versions")
        if not most:
            return
        ids = select(CONFIGURATIONS.c.id).where(mine).order_by(CONFIGURATIONS.c.id.desc()).offset(most).limit(1_000)
        old = session.scalars(ids).all()
        if old:
            session.execute(delete(CONFIGURATIONS).where(CONFIGURATIONS.c.id.in_(old)))


#: A run with what is needed of its job, and of whom it is for.
_RUN = with_targets(
    select(
        RUNS.c.id,
        RUNS.c.fence,
        RUNS.c.job_id,
        JOBS.c.what,
        JOBS.c.parameters,
        target("id").label("resource"),
        target("name").label("name"),
        target("os").label("os"),
    )
).join(JOBS, JOBS.c.id == RUNS.c.job_id)


def _filler(parameters: Sequence[Parameter]) -> Callable[[str], str]:
    values = {variable_name(Kind.PARAMETER, one.name): one.value1 for one in parameters}
    return lambda text: references.fill(text, values)


def _parts(run: Row, text: FetchedText) -> Any:
    return _parts_of(run["id"], run["fence"], text.position)


def _parts_of(run_id: UUID, fence: int, position: int) -> Any:
    mine = (FETCHED_PARTS.c.run_id == run_id) & (FETCHED_PARTS.c.fence == fence)
    return mine & (FETCHED_PARTS.c.position == position)
