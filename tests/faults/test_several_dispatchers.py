"""Several dispatchers over one database: what one is told another does, and any may be killed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from real_server import Process, Server, in_a_process

from dispatcher.web.listeners import listen

READY = re.compile(r"serves clients at (\S+) and agents at (\S+)")
MARK, SLEEP = "{00000000-0000-4000-8000-0000000000AA}", "{00000000-0000-4000-8000-0000000000BB}"
LIBRARY = """
modules:
  - name: Mark
    id: 00000000-0000-4000-8000-0000000000aa
    parameters: [{{name: Text, type: text, value: x}}]
    tasks:
      - {{type: command, name: mark, settings: {{command: 'echo "$[Text]" >> {effects}'}}}}
  - name: Sleep
    id: 00000000-0000-4000-8000-0000000000bb
    parameters: [{{name: Text, type: text, value: x}}]
    tasks:
      - type: command
        name: sleep
        settings: {{command: 'echo "begin $[Text]" >> {effects}; sleep 3; echo "end $[Text]" >> {effects}'}}
"""


@pytest.fixture
def effects(tmp_path: Path) -> Path:
    """Where tasks write what they really did."""
    return tmp_path / "effects"


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path, effects: Path) -> str:
    """A database with the library in it."""
    url = str(request.getfixturevalue(f"{request.param}_database"))
    (tmp_path / "library.yaml").write_text(LIBRARY.format(effects=effects))
    key = {"DISPATCHER_DATASTORE__KEY_FILE": str(tmp_path / "key")}
    in_a_process("migrate", datastore=url, **key)
    in_a_process("library", "import", str(tmp_path / "library.yaml"), datastore=url, **key)
    return url


@pytest.fixture
def serve(start: Callable[..., Process], database: str, tmp_path: Path) -> Callable[..., Server]:
    """Start a dispatcher over the one database."""

    def serve(*options: str) -> Server:
        key = {"DISPATCHER_DATASTORE__KEY_FILE": str(tmp_path / "key")}
        listen = ["--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0", "--no-local-agent"]
        process = start("--datastore", database, "serve", *listen, *options, **key)
        url, agents_url = process.wait_for(READY).groups()
        return Server(process, url, agents_url, database)

    return serve


@pytest.fixture
def start_agent(start: Callable[..., Process], tmp_path: Path) -> Callable[..., Process]:
    """Start an agent that knows *servers*, in this order."""

    def start_agent(name: str, *servers: Server) -> Process:
        token = in_a_process("token", "enrol", "--once", datastore=servers[0].datastore)[-1].split()[-1]
        where = [part for server in servers for part in ("--dispatcher", server.agents_url)]
        home = str(tmp_path / f"agent-{name}")
        return start("agent", *where, "--name", name, "--home", home, DISPATCHER_ENROL_TOKEN=token)

    return start_agent


def with_text(module: str, text: str) -> dict[str, Any]:
    return {"Parameters": [{"TaskContainerGuid": module, "JobParameters": [{"Name": "Text", "Value1": text}]}]}


def lines(effects: Path) -> list[str]:
    return effects.read_text().splitlines() if effects.exists() else []


def test_a_job_for_an_agent_of_another_dispatcher_starts_within_a_second(
    serve: Callable[..., Server], start_agent: Callable[..., Process], effects: Path
) -> None:
    one, other = serve(), serve()
    start_agent("remote", other)
    [agent] = one.wait_for_agents(1)
    for number in range(3):
        job = one.schedule(MARK, [agent], **with_text(MARK, f"job {number}"))
        submitted_at = time.monotonic()
        while f"job {number}" not in lines(effects):
            assert time.monotonic() - submitted_at < 10
            time.sleep(0.01)
        assert time.monotonic() - submitted_at < 1.0
        assert other.wait_for_end(job) == 4
    assert lines(effects) == ["job 0", "job 1", "job 2"]


def test_when_a_dispatcher_is_killed_its_agents_move_on_and_everything_ends_once(
    serve: Callable[..., Server], start_agent: Callable[..., Process], effects: Path
) -> None:
    doomed, other = serve(), serve()
    agents = [start_agent(name, doomed, other) for name in ("first", "second")]
    ids = doomed.wait_for_agents(2)
    running = [doomed.schedule(SLEEP, [agent], **with_text(SLEEP, agent)) for agent in ids]
    waiting = [doomed.schedule(MARK, [agent], **with_text(MARK, f"{agent} {n}")) for agent in ids for n in range(4)]
    while len([line for line in lines(effects) if line.startswith("begin")]) < 2:
        time.sleep(0.02)
    doomed.process.kill()
    later = [other.schedule(MARK, [agent], **with_text(MARK, f"{agent} later")) for agent in ids]

    assert [other.wait_for_end(job, timeout_s=60) for job in running + waiting + later] == [4] * 12
    expected = [f"{word} {agent}" for agent in ids for word in ("begin", "end")]
    expected += [f"{agent} {which}" for agent in ids for which in (0, 1, 2, 3, "later")]
    assert sorted(lines(effects)) == sorted(expected)
    assert [agent.popen.poll() for agent in agents] == [None, None]


def test_a_crew_shares_its_ports_and_starts_dead_members_again(
    serve: Callable[..., Server], start_agent: Callable[..., Process], effects: Path
) -> None:
    crew = serve("--processes", "2")
    parent = psutil.Process(crew.process.popen.pid)
    start_agent("remote", crew)
    [agent] = crew.wait_for_agents(1)
    jobs = [crew.schedule(MARK, [agent], **with_text(MARK, f"job {number}")) for number in range(10)]
    for turn in range(2):
        victim = parent.children()[turn]
        victim.kill()
        psutil.wait_procs([victim], timeout=10)
        deadline = time.monotonic() + 30
        while len([child for child in parent.children() if child != victim]) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        jobs += [persistently(lambda n=turn: crew.schedule(MARK, [agent], **with_text(MARK, f"after {n}")))]
    ended = [persistently(lambda job=job: crew.wait_for_end(job, timeout_s=60)) for job in jobs]
    assert ended == [4] * 12
    assert sorted(lines(effects)) == sorted([f"job {number}" for number in range(10)] + ["after 0", "after 1"])
    members = parent.children()
    assert crew.process.stop() == 0
    assert psutil.wait_procs(members, timeout=20)[1] == []


def test_a_crew_moves_to_another_port_together(serve: Callable[..., Server]) -> None:
    crew = serve("--processes", "2")
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    for service in ("scheduling", "resource"):
        in_a_process("setting", "set", f"webapi.{service}_port", str(port), datastore=crew.datastore)
    old = int(crew.url.rpartition(":")[2])
    members = psutil.Process(crew.process.popen.pid).children()
    deadline = time.monotonic() + 60
    while any(port not in listening(one) or old in listening(one) for one in members):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for _ in range(20):  # each is a new connection, to either of them
        answer = requests.get(f"http://127.0.0.1:{port}/Dispatcher/SchedulingService/help", timeout=20)
        assert answer.status_code == 200


def listening(process: psutil.Process) -> set[int]:
    """Return the ports that *process* listens at."""
    return {one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN}


def test_a_crew_ends_with_its_killed_parent(serve: Callable[..., Server]) -> None:
    crew = serve("--processes", "2")
    members = psutil.Process(crew.process.popen.pid).children()
    assert len(members) == 2
    crew.process.kill()
    assert psutil.wait_procs(members, timeout=20)[1] == []


def persistently(call: Callable[[], Any]) -> Any:
    """Make *call* again as long as the connection it has is one of a process that has just died."""
    for _ in range(20):
        try:
            return call()
        except requests.ConnectionError:
            time.sleep(0.25)
    return call()
