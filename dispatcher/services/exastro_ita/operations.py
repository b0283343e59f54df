"""Operations: what parameters and runs belong to; the records of the menu ``operation_list``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import func, select

from dispatcher.datastore.exastro_ita import ITA_RUNS
from dispatcher.datastore.jobs import JOBS
from dispatcher.services.exastro_ita.moments import to_local
from dispatcher.services.exastro_ita.records import Action, Change, Found, Record, Scope
from dispatcher.services.exastro_ita.rows import PAGE, Rows
from dispatcher.services.portions import portions
from dispatcher.services.settings import Settings

if TYPE_CHECKING:
    from dispatcher.services.exastro_ita.maintenance import Maintenance
    from dispatcher.services.exastro_ita.menus import Menu

#: The menu that they are the records of.
MENU = "operation_list"
NAME = "operation_name"
PLANNED = "scheduled_date_for_execution"
LAST_RUN = "last_run_date"

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation."""

    id: UUID
    name: str


class OperationRows(Rows):
    """The records of the menu. When an operation ran last is known from its runs, and stored with none."""

    def __init__(self) -> None:
        super().__init__(MENU)

    def read(self, scope: Scope, ids: Collection[UUID] | None = None) -> Iterator[Record]:
        """Give the records, those with *ids* only if given, in their order, with when they ran last."""
        for page in portions(super().read(scope, ids), PAGE):
            last = _last_runs(scope, [record.id for record in page])
            for record in page:
                moment = last.get(record.id)
                record.values = {**record.values, LAST_RUN: moment and moment.astimezone(UTC).isoformat()}
                yield record

    def write(self, scope: Scope, changes: Sequence[Change]) -> Found:
        """Carry out *changes* in order; new operations remember the language of who registers them."""
        for change in changes:
            if change.action is Action.REGISTER:
                change.values["language"] = scope.language
        return super().write(scope, changes)


class Operations:
    """Finds and registers operations for runs. Every method works inside the transaction of its scope."""

    def __init__(self, menu: Menu, maintenance: Maintenance, settings: Settings) -> None:
        self._menu = menu
        self._maintenance = maintenance
        self._settings = settings

    def find(self, scope: Scope, name: Any) -> Operation | None:
        """Return the live operation of this name; None for what is no text."""
        found = self._menu.source.taken(scope, NAME, [name]) if isinstance(name, str) else {}
        return Operation(found[name], name) if found else None

    def with_id(self, scope: Scope, text: Any) -> Operation | None:
        """Return the live operation with this id."""
        key = to_id(text)
        found = () if key is None else self._menu.source.read(scope, [key])
        live = (Operation(record.id, record.values[NAME]) for record in found if not record.is_discarded)
        return next(live, None)

    def find_or_register(self, scope: Scope, name: Any) -> tuple[Operation, bool]:
        """Return the operation of this name, registered if there was none, and whether it was.

        A new one is planned for this moment. Of those who name a new one at the same time, one registers it.

        :raises InvalidRecords: if there cannot be an operation of this name.
        """
        found = self.find(scope, name)
        if found is None:
            self._maintenance.lock(scope)
            found = self.find(scope, name)
        return (found, False) if found is not None else (self._register(scope, name), True)

    def register_unnamed(self, scope: Scope) -> Operation:
        """Register an operation that is named by this moment and the next free digit."""
        self._maintenance.lock(scope)
        for names in auto_names(scope.now, self._settings.site_zone()):
            taken = self._menu.source.taken(scope, NAME, names)
            free = next((name for name in names if name not in taken), None)
            if free is not None:
                return self._register(scope, free)
        raise AssertionError  # there is no end of names

    def select_text(self, scope: Scope, operation: Operation) -> str:
        """Return how pulldowns show the *operation*, which has just been registered."""
        return select_text(scope.now, operation.name, self._settings.site_zone())

    def _register(self, scope: Scope, name: Any) -> Operation:
        planned = scope.now.astimezone(self._settings.site_zone())
        text = f"{planned.year:04}/{planned:%m/%d %H:%M:%S}"
        sent = {"type": Action.REGISTER.value, "parameter": {NAME: name, PLANNED: text}}
        [key] = self._maintenance.change_within(scope, self._menu, [sent]).ids
        found = self.with_id(scope, str(key))
        assert found is not None  # noqa: S101 - it was stored, or refused
        return found


def _last_runs(scope: Scope, operation_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when a run of each of the operations was started last, as far as one has been."""
    query = (
        select(ITA_RUNS.c.operation_id, func.max(JOBS.c.started_at, type_=JOBS.c.started_at.type))
        .join(JOBS, JOBS.c.id == ITA_RUNS.c.job_id)
        .where(ITA_RUNS.c.operation_id.in_(operation_ids), JOBS.c.started_at.is_not(None))
        .group_by(ITA_RUNS.c.operation_id)
    )
    return dict(scope.session.execute(query).tuples().all())


def select_text(planned: datetime, name: str, zone: tzinfo) -> str:
    """Return how pulldowns show an operation (seed section 3.3.3): ``YYYY/MM/DD HH:MM_<name>`` by the site's clocks."""
    local = to_local(planned, zone)
    return f"{local.year:04}/{local:%m/%d %H:%M}_{name}"  # %Y has fewer digits before the year 1000


def auto_names(now: datetime, zone: tzinfo) -> Iterator[list[str]]:
    """Give the names for an operation without one, ten by ten: those of a microsecond, from *now* on.

    ``yyyymmddhhmissffffffN`` with a digit as N (seed section 3.2), by the site's clocks.
    """
    while True:
        stem = now.astimezone(zone).strftime("%Y%m%d%H%M%S%f")
        yield [f"{stem}{digit}" for digit in range(10)]
        now += _TICK


def to_id(text: Any) -> UUID | None:
    """Return the id that *text* is; None if it is none."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
