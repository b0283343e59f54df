"""A project from its library file to its results, by a real server and its agent: nothing in between is played."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from real_server import Server, dispatcher

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.core.results import JobResult
from dispatcher.core.states import State
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import build_hall
from dispatcher.services.secrets import Secrets

LIBRARY = """
modules:
  - name: Make
    parameters:
      - {name: Key, type: password, input: false, output: true}
      - {name: Report, type: multiline, input: false, output: true}
    tasks:
      - name: second try
        type: command
        retry: {times: 2, delay_s: 0.1}
        settings:
          command: |
            [ -e "${DISPATCHER_OUTPUT%/*}/tried" ] || { touch "${DISPATCHER_OUTPUT%/*}/tried"; exit 7; }
            printf 'Key=very-%s\\nReport<<END\\none\\ntwo\\nEND\\n' secret > "$DISPATCHER_OUTPUT"
  - name: Use
    parameters: [{name: Key, type: password}, {name: Expected}]
    tasks:
      - {name: compare, type: command, settings: {command: 'echo "got $[Key]"; test "$[Key]" = "very-$[Expected]"'}}
      - {name: never, type: command, settings: {command: 'exit 1'}, condition: 'previous != "completed"'}
projects:
  - name: Hand over
    id: 00000000-0000-4000-8000-000000000001
    parameters: [{name: Secret, type: password, output: true}, {name: Go, value: 'yes'}]
    modules:
      - {module: Make, get: {Key: Secret, Report: Report}}
      - {module: Use, parameters: {Key: '$[Secret]', Expected: secret}, condition: '$[Go] == true or $[Go] == "yes"'}
"""
PROJECT = "00000000-0000-4000-8000-000000000001"


class NoWakeup:
    """Nobody waits for what is only read."""

    def agents(self, agent_ids: object) -> None: ...
    def slot(self, agent_id: object) -> None: ...
    def engine(self) -> None: ...


@pytest.fixture
def server(start_server: Callable[..., Server], tmp_path: Path) -> Server:
    """A server with its own agent and the library."""
    server = start_server()
    file = tmp_path / "library.yaml"
    file.write_text(LIBRARY)
    dispatcher("library", "import", str(file), datastore=server.datastore)
    return server


def result_of(server: Server, job_id: str) -> JobResult:
    """Return the result from the datastore of *server*. Its secrets need not be opened for that."""
    datastore = Datastore(parse_url(server.datastore))
    try:
        ports = Ports(lambda: datetime.now(UTC), time.monotonic, uuid4, NoWakeup())
        hall = build_hall(datastore, ports, Secrets(b"k" * 32), lease=timedelta(seconds=30))
        return hall.results.collect(UUID(job_id), True, SYSTEM)[0]
    finally:
        datastore.close()


def test_values_conditions_and_attempts_from_file_to_result(server: Server, tmp_path: Path) -> None:
    agents = server.wait_for_agents(1)
    job_id = server.schedule(PROJECT, agents, What=[{"ID": PROJECT, "Type": 1}])
    assert server.wait_for_end(job_id) == State.COMPLETED
    result = result_of(server, job_id)
    make, compare, never = result.runs[0].tasks
    assert (make.state, make.attempts, make.message) == (State.COMPLETED, 2, "attempt 2 of 3")
    assert (compare.state, compare.output) == (State.COMPLETED, "got ********\n")
    assert (never.state, never.message) == (State.SKIPPED, 'condition not met: previous != "completed"')
    [given] = result.job.outputs
    assert {one.name: one.value1 for one in given.parameters} == {"Secret": "", "Report": "one\ntwo"}
    assert b"very-secret" not in (tmp_path / "server.db").read_bytes()
    assert "very-secret" not in "".join(server.process.lines)
