"""Fixtures that most tests share: a datastore of their own, a clock they turn, ids in order."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from cheap_passwords import cheap_passwords
from made_once import an_empty_database, made_once

from dispatcher import memory
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.roles import Roles
from dispatcher.services.secrets import Secrets

# With all local variables, as by default, it takes seconds to show an exception.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

pytest_plugins = ["compiled_statements", "database_servers", "real_server"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One worker more than processors: many tests wait, for processes, disks, and for what must not happen.

    Not on a machine with many: each worker has database servers of its own.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or processors > 8 else processors + 1


def pytest_collection_finish() -> None:
    """Leave what is there for all tests out of collections, as a server does with what it has at its start."""
    memory.keep()


@dataclass
class Clock:
    """A clock that stands still until it is turned."""

    moment: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    seconds: float = 0.0

    def __call__(self) -> datetime:
        return self.moment

    def steady(self) -> float:
        return self.seconds

    def turn(self, by: timedelta) -> None:
        self.moment += by
        self.seconds += by.total_seconds()

    def set(self, by: timedelta) -> None:
        """Show another time, though none has passed."""
        self.moment += by


@dataclass
class RecordingWakeup:
    """Remembers who was woken, and who was handed which run, in order."""

    agent_ids: list[UUID] = field(default_factory=list)
    engine_calls: int = 0
    slots: set[UUID] = field(default_factory=set)  #: agents that wait with a free slot
    handed: list[tuple[UUID, UUID]] = field(default_factory=list)  #: which agent was lent which run

    def agents(self, agent_ids: Collection[UUID]) -> None:
        self.agent_ids.extend(agent_ids)

    def slot(self, agent_id: UUID) -> Callable[[UUID], None] | None:
        return (lambda run_id: self.handed.append((agent_id, run_id))) if agent_id in self.slots else None

    def engine(self) -> None:
        self.engine_calls += 1


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Leave logging as it was: commands under test configure it for the whole process."""
    root, configured = logging.getLogger(), structlog.get_config()
    level = root.level
    yield
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wakeup() -> RecordingWakeup:
    return RecordingWakeup()


@pytest.fixture
def new_id() -> Callable[[], UUID]:
    numbers = iter(range(1, 1_000_000))
    return lambda: UUID(int=(0x019A << 112) | (7 << 76) | (2 << 62) | next(numbers))


@pytest.fixture
def ports(clock: Clock, new_id: Callable[[], UUID], wakeup: RecordingWakeup) -> Ports:
    return Ports(clock, clock.steady, new_id, wakeup)


@pytest.fixture
def secrets() -> Secrets:
    return Secrets(b"k" * 32)


@pytest.fixture
def roles(datastore: Datastore, ports: Ports) -> Roles:
    return Roles(datastore, ports)


@pytest.fixture
def hall(datastore: Datastore, ports: Ports, secrets: Secrets) -> Hall:
    return build_hall(datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords())


@pytest.fixture
def load_library(datastore: Datastore, ports: Ports, secrets: Secrets) -> Callable[[str], None]:
    """Import a library that is given as YAML text."""

    def load(text: str) -> None:
        content = {"library.yaml": text.encode()}
        made_once(datastore, ports, text, lambda ports: import_texts(datastore, ports, secrets, content))

    return load


@pytest.fixture
def enrol(hall: Hall) -> Callable[..., UUID]:
    """Enrol an agent by name, with what it says of its computer; return its id."""

    def enrol(name: str, os: str = "linux", **facts: str) -> UUID:
        token = hall.tokens.create_enrol_token(SYSTEM, once=True)
        return hall.enrolment.enrol(token, name, None, Facts(os=os, **facts))[0]

    return enrol


@pytest.fixture(scope="session")
def empty_database() -> bytes:
    """The file of a freshly migrated SQLite datastore, to be copied."""
    return an_empty_database()


@pytest.fixture
def datastore(tmp_path: Path, empty_database: bytes) -> Iterator[Datastore]:
    path = tmp_path / "test.db"
    path.write_bytes(empty_database)
    opened = Datastore(parse_url(f"sqlite:///{path}"))
    yield opened
    opened.close()
