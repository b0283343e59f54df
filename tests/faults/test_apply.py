"""Kills while parameters are applied: after each, all of an ``apply`` is there, or nothing."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from real_server import in_a_process
from sqlalchemy import Connection, create_engine, select
from world import World

from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.exastro_ita import ITA_FILES, ITA_JOURNAL, ITA_RECORDS, ITA_RUNS
from dispatcher.datastore.jobs import JOBS

#: The most records that an order has of one sheet: each is for another host.
MANY = 12
SHEETS, HOSTS = ("sheet_a", "sheet_b", "sheet_c"), [f"h{number}" for number in range(MANY)]
PATH = "/api/org9/workspaces/ws2/ita/apply/"
LIBRARY = f"""
modules: [{{name: M, tasks: [{{type: command, name: one, settings: {{command: 'true'}}}}]}}]
runbooks: [{{name: nightly, steps: [{{name: one, module: M, who: [{{ask: true}}]}}]}}]
agents: [{", ".join(f"{{name: {host}}}" for host in HOSTS)}]
teams: [{{name: Ring 1, agents: [{", ".join(HOSTS)}]}}]
workspaces: [{{name: ws2, organization: org9, team: Ring 1}}]
menus:
"""
SHEET = "  - {{name: {}, columns: [{{name: column_1, max_bytes: 64}}, {{name: column_2, kind: file}}]}}\n"


def an_order(name: str, sizes: list[int], *, is_wrong: bool) -> dict[str, Any]:
    """Return an order with so many records of each sheet; if it *is_wrong*, the very last one is too long."""
    info = [
        {sheet: [_record(f"{name}/{sheet}/{number}", HOSTS[number]) for number in range(size)]}
        for sheet, size in zip(SHEETS, sizes, strict=True)
    ]
    if is_wrong:
        info[-1][SHEETS[-1]][-1]["parameter"]["column_1"] = "x" * 65
    return {"conductor_class_name": "nightly", "operation_name": name, "parameter_info": info}


def _record(text: str, host: str) -> dict[str, Any]:
    parameter = {"host_name": host, "column_1": text, "column_2": "f.txt"}
    return {
        "type": "Register",
        "parameter": parameter,
        "file": {"column_2": base64.b64encode(text.encode()).decode()},
    }


@dataclass
class Applying:
    """Clients that apply all the time, each to an operation of its own name, and what they were told."""

    world: World
    sent: dict[str, list[int]] = field(default_factory=dict)  #: sizes by operation
    told: dict[str, tuple[int, str]] = field(default_factory=dict)  #: status, and the run's id; 0: no answer

    def apply(self, name: str, sizes: list[int], *, is_wrong: bool) -> None:
        """Apply once, and remember what came of it."""
        self.sent[name] = sizes
        self.told[name] = self._call(json.dumps(an_order(name, sizes, is_wrong=is_wrong)))

    def _call(self, body: str) -> tuple[int, str]:
        parts = urlsplit(self.world.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=10)
        headers = {"Content-Type": "application/json", "Authorization": "Basic b3A6cHc="}
        try:
            connection.request("POST", PATH, body, headers)
            answer = connection.getresponse()
            data = json.loads(answer.read()).get("data") or {}
            return answer.status, data.get("conductor_instance_id", "")
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.02)
            return 0, ""
        finally:
            connection.close()

    @contextlib.contextmanager
    def load(self, clients: int = 3) -> Iterator[None]:
        """Let *clients* apply one order after the other until the end of the block; some orders are wrong."""
        is_over = threading.Event()

        def work(client: int, chance: random.Random) -> None:
            count = 0
            while not is_over.is_set():
                sizes = [chance.randint(1, MANY) for _ in SHEETS]
                self.apply(f"op-{client}-{count}", sizes, is_wrong=chance.random() < 0.2)
                count += 1

        threads = [
            threading.Thread(target=work, args=(client, random.Random(self.world.random.random())))
            for client in range(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()


@dataclass
class Stored:
    """What is in the datastore: operations, and by operation the records of each sheet, and the runs."""

    operations: dict[str, UUID] = field(default_factory=dict)
    sheets: dict[UUID, Counter[str]] = field(default_factory=dict)
    runs: dict[UUID, list[str]] = field(default_factory=dict)
    records: set[UUID] = field(default_factory=set)

    @classmethod
    def read(cls, connection: Connection) -> Stored:
        """Return all of it."""
        stored = cls()
        for row in connection.execute(select(ITA_RECORDS)):
            stored.records.add(row.id)
            if row.menu == "operation_list":
                stored.operations[row.values["operation_name"]] = row.id
            else:
                stored.sheets.setdefault(row.operation_id, Counter())[row.menu] += 1
        for job_id, operation_id in connection.execute(select(ITA_RUNS.c.job_id, ITA_RUNS.c.operation_id)).tuples():
            stored.runs.setdefault(operation_id, []).append(str(job_id))
        return stored


def judge(url: str, applying: Applying) -> Counter[str]:
    """Check that of each order all is there, or nothing; return how many ended how.

    :raises AssertionError: if a part of one is there, or one is not that was acknowledged.
    """
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        stored = Stored.read(connection)
        jobs = set(map(str, connection.scalars(select(JOBS.c.id).where(JOBS.c.parent_id.is_(None)))))
        files = set(connection.scalars(select(ITA_FILES.c.record_id)))
        journal = set(connection.scalars(select(ITA_JOURNAL.c.record_id)))
    engine.dispose()
    counts: Counter[str] = Counter()
    for name, sizes in applying.sent.items():
        status, run = applying.told.get(name, (0, ""))
        key = stored.operations.get(name)
        if key is None:
            assert status != 200, f"{name} was acknowledged, and is lost"
            counts["nothing"] += 1
            continue
        assert status in (0, 200), f"{name} was refused with {status}, and is there"
        assert stored.sheets.pop(key) == dict(zip(SHEETS, sizes, strict=True)), name
        [mine] = stored.runs.pop(key)
        assert mine == (run or mine), name
        jobs.remove(mine)
        counts["all"] += 1
    assert (stored.sheets, stored.runs, jobs) == ({}, {}, set()), "something belongs to no operation"
    assert journal == stored.records
    assert files >= stored.records - set(stored.operations.values())
    return counts


@pytest.mark.timeout(600)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"] if os.environ.get("FAULTS") == "long" else ["sqlite"])
def test_a_server_that_is_killed_has_applied_all_or_nothing(
    request: pytest.FixtureRequest, make_world: Callable[..., World], times: Any, database: str
) -> None:
    datastore = "" if database == "sqlite" else request.getfixturevalue("postgresql_database")
    world = make_world(datastore)
    path = world.folder / "ita.yaml"
    path.write_text(LIBRARY + "".join(map(SHEET.format, SHEETS)))
    world.command("library", "import", str(path))
    in_a_process("login", "add", "op", "--password-stdin", datastore=world.datastore, given="pw", **world.environment)
    world.start_server()
    applying = Applying(world)
    kills = times(2, 40)
    with applying.load():
        for _ in range(kills):
            time.sleep(world.random.uniform(0.05, 1.0))
            assert world.server is not None
            world.server.kill()
            world.start_server()
        time.sleep(0.5)
    counts = judge(world.datastore, applying)
    assert counts["all"] > kills
    assert counts["nothing"] > 0
