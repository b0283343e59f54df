"""M12: what records cost through the front door of Exastro IT Automation, beside plain inserts of what they become."""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import insert, literal_column, select

from bench.figures import Figure, Round, Series, Verdict
from dispatcher.bindings.exastro_ita import binding
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore import schema
from dispatcher.datastore.base import Base
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.real_ports import new_id, now, steady
from dispatcher.services.hall import build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets
from dispatcher.wire.http import Request
from dispatcher.wire.quotas import Quotas

#: How many records one call of ``maintenance/all`` registers, and ``apply`` in each of its menus.
MANY, EACH = 1_000, 100
SHEETS = ("sheet_a", "sheet_b", "sheet_c")
#: How many hosts the records of one operation are for, at most: there is one of each sheet for each of them.
HOSTS = 100
#: How often the plain inserts a request may cost, and how much more a record in the largest request than in the least.
_GOAL, _GROWTH_GOAL = 10.0, 1.3
_BASE = "/api/org9/workspaces/ws2/ita"
_PLANNED = "2031/06/01 02:00"
_RECORDS = "ita_record"
_COLUMNS = "[{name: column_1, max_bytes: 64}, {name: column_2, kind: integer}, {name: column_3, unique: true}]"

Rows = dict[str, list[dict[str, Any]]]
"""Rows by the names of their tables."""


def _library() -> str:
    hosts = [f"host-{number:03}" for number in range(HOSTS)]
    return f"""
modules: [{{name: M, tasks: [{{type: command, name: one, settings: {{command: 'true'}}}}]}}]
runbooks: [{{name: nightly, steps: [{{name: one, module: M, who: [{{ask: true}}]}}]}}]
agents: [{", ".join(f"{{name: {host}}}" for host in hosts)}]
teams: [{{name: Ring 1, agents: [{", ".join(hosts)}]}}]
workspaces: [{{name: ws2, organization: org9, team: Ring 1}}]
menus: [{", ".join(f"{{name: {sheet}, columns: {_COLUMNS}}}" for sheet in SHEETS)}]
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request cost, and plain inserts of all rows that it stored, and of those of the records alone."""

    ours: Round
    plain: Round
    alone: Round
    rows: int


class _Undone(Exception):
    """The transaction is not to be kept."""


class _Subject:
    """The front door over a datastore, and a copy of that, which gets by plain inserts what the other one has got."""

    def __init__(self, ours: Datastore, plain: Datastore) -> None:
        ports, secrets = Ports(now, steady, new_id, NoWakeup()), Secrets(b"bench" * 6 + b"be")
        hall = build_hall(ours, ports, secrets, lease=timedelta(minutes=10))
        log = structlog.get_logger(__name__)
        self._api = binding.build(hall, log=log, quotas=Quotas())
        self._ours, self._plain = ours, plain
        self._numbers = count()
        self._seen: dict[str, int] = {}  #: the last row of each table that is in the copy
        self._new_rows()

    def register(self, records: int) -> Callable[[], None]:
        """Return what registers so many records of one menu, for operations that are there: new ones, as it must be."""
        names = [f"op-{next(self._numbers)}" for _ in range(0, records, HOSTS)]
        operations = [_registered(operation_name=name, scheduled_date_for_execution=_PLANNED) for name in names]
        self._prepared("menu/operation_list/maintenance/all/", operations)()
        self._insert(self._new_rows())
        shown = [f"{_PLANNED}_{name}" for name in names]
        rows = ((number, shown[number // HOSTS]) for number in range(records))
        body = [_registered(**self._row(number), operation_name_select=operation) for number, operation in rows]
        return self._prepared(f"menu/{SHEETS[0]}/maintenance/all/", body)

    def apply(self, records: int) -> Callable[[], None]:
        """Return what applies so many records of each menu to a new operation, and runs a conductor for it."""
        info = [{sheet: [_registered(**self._row(number)) for number in range(records)]} for sheet in SHEETS]
        order = {"conductor_class_name": "nightly", "operation_name": f"new-{next(self._numbers)}"}
        return self._prepared("apply/", {**order, "parameter_info": info})

    def turn(self, prepare: Callable[[int], Callable[[], None]], records: int) -> Turn:
        """Do once what *prepare* makes for so many *records*; then insert into the copy what that has stored."""
        ours = _timed(prepare(records))
        rows = self._new_rows()
        alone = _timed(lambda: self._insert({_RECORDS: rows[_RECORDS]}, is_kept=False))
        return Turn(ours, _timed(lambda: self._insert(rows)), alone, sum(map(len, rows.values())))

    def _row(self, number: int) -> dict[str, str]:
        text = f"value {next(self._numbers)}"
        return {"host_name": f"host-{number % HOSTS:03}", "column_1": text, "column_2": str(number), "column_3": text}

    def _prepared(self, path: str, body: Any) -> Callable[[], None]:
        headers = {"content-type": "application/json"}
        request = Request("POST", f"{_BASE}/{path}", headers=headers, body=json.dumps(body).encode(), caller=SYSTEM)

        def work() -> None:
            answer = self._api(request)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {answer.body.decode()[:500]}")

        return work

    def _new_rows(self) -> Rows:
        """Return what has been stored since this was asked for last."""
        found: Rows = {}
        row_id: Any = literal_column("rowid")
        with self._ours.read() as session:
            for table in Base.metadata.sorted_tables:
                since = self._seen.get(table.name, 0)
                query = select(row_id, table).where(row_id > since).order_by(row_id)
                rows = [dict(row) for row in session.execute(query).mappings()]
                if rows:
                    self._seen[table.name] = max(row.pop("rowid") for row in rows)
                    found[table.name] = rows
        return found

    def _insert(self, rows: Rows, *, is_kept: bool = True) -> None:
        with suppress(_Undone), self._plain.begin() as session:
            for name, some in rows.items():
                session.execute(insert(Base.metadata.tables[name]), some)
            if not is_kept:
                raise _Undone


def _registered(**parameter: str) -> dict[str, Any]:
    return {"type": "Register", "parameter": parameter}


def _timed(work: Callable[[], object]) -> Round:
    gc.collect()  # what the measurement itself has left behind is not to be paid by what is measured
    begun, before = time.perf_counter(), time.process_time()
    work()
    used, seconds = time.process_time() - before, time.perf_counter() - begun
    return Round(1, 0, 1 / seconds, 1 / max(used, 1e-9))


@contextmanager
def _subject(directory: Path) -> Iterator[_Subject]:
    directory.mkdir(parents=True)
    ours, plain = directory / "ours.db", directory / "plain.db"
    opened = Datastore(parse_url(f"sqlite:///{ours}"))
    schema.upgrade(opened.engine)
    ports = Ports(now, steady, new_id, NoWakeup())
    import_texts(opened, ports, Secrets(b"bench" * 6 + b"be"), {"bench.yaml": _library().encode()})
    opened.close()
    shutil.copy(ours, plain)
    datastores = [Datastore(parse_url(f"sqlite:///{path}")) for path in (ours, plain)]
    try:
        yield _Subject(*datastores)
    finally:
        for datastore in datastores:
            datastore.close()


def run(directory: Path, pairs: int, many: int, each: int) -> Figure:
    """Measure *many* records by ``maintenance/all``, and three times *each* by ``apply``, beside plain inserts.

    In this process, on SQLite, from the bytes of the request to those of the answer. The plain inserts are one
    transaction with all rows that the request has stored, by SQLAlchemy's ``insert``.

    :raises RuntimeError: if a request is refused.
    """
    figure = Figure(
        "M12", f"{many} records by maintenance/all, 3 x {each} by apply, beside plain inserts", unit="request"
    )
    with _subject(directory / "m12") as subject:
        _compare(figure, subject, pairs, f"maintenance/all, {many} records", subject.register, many)
        _compare(figure, subject, pairs, f"apply, 3 x {each} records", subject.apply, each)
        _grow(figure, subject, pairs, "maintenance/all, {} records", subject.register, many)
        _grow(figure, subject, pairs, "apply, {} records of each menu", subject.apply, each)
    return figure


def _compare(
    figure: Figure, subject: _Subject, pairs: int, what: str, prepare: Callable[[int], Callable[[], None]], records: int
) -> None:
    ours, plain, alone = (
        Series(f"{head}{what}") for head in ("", "plain inserts of what became of ", "of its records: ")
    )
    turns = [subject.turn(prepare, records) for _ in range(pairs + 1)][1:]  # the first turn only warms up
    for turn in turns:
        ours.rounds.append(turn.ours)
        plain.rounds.append(turn.plain)
        alone.rounds.append(turn.alone)
    times = plain.times(ours)
    figure.series += [ours, plain, alone]
    text = f"{what}: at most {_GOAL:g} times plain inserts"
    figure.verdicts.append(Verdict(text, f"{times:.1f} times", times <= _GOAL))
    plainly = (
        f"plainly {plain.cpu_ms:.1f} ms for {turns[0].rows} rows, {alone.cpu_ms:.1f} ms for those of the records alone"
    )
    figure.notes.append(f"{what}: {ours.cpu_ms:.0f} ms of CPU; {plainly} ({alone.times(ours):.1f} times).")


def _grow(
    figure: Figure, subject: _Subject, pairs: int, what: str, prepare: Callable[[int], Callable[[], None]], most: int
) -> None:
    sizes = [most // 4, most // 2, most]
    all_series = [Series(what.format(size)) for size in sizes]
    for turn in range(pairs + 1):
        for size, series in zip(sizes, all_series, strict=True):
            measured = subject.turn(prepare, size)
            if turn:
                series.rounds.append(measured.ours)
    least, largest = all_series[0], all_series[-1]
    growth = largest.cpu_ms / most / (least.cpu_ms / sizes[0])
    told = ", ".join(f"{series.cpu_ms / size * 1000:.0f}" for series, size in zip(all_series, sizes, strict=True))
    figure.series += all_series
    text = f"{what.format(most)}: each at most {_GROWTH_GOAL:g} times one of {sizes[0]}"
    figure.verdicts.append(Verdict(text, f"{growth:.2f} times", growth <= _GROWTH_GOAL))
    figure.notes.append(f"{what.format(', '.join(map(str, sizes)))}: {told} µs of CPU for each of these numbers.")
