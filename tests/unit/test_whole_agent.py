"""An agent whose computer boots, and whose users come and go: with a real server, and nothing in between is played."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from real_server import Server, dispatcher

from dispatcher.core.states import State

MODULE, BOOK = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
LIBRARY = f"""
modules: [{{name: Note, id: {MODULE}, tasks: [{{name: t, type: command, settings: {{command: 'true'}}}}]}}]
runbooks:
  - name: Where the user is
    id: {BOOK}
    parameters: [{{name: RunBookWho}}]
    steps: [{{name: s, module: Note, who: [{{parameter: RunBookWho, by: console_user}}]}}]
"""
#: An agent on a computer that is what files say: ``boot_id``, and ``users`` with lines ``name terminal since``.
AGENT = """
import sys
from pathlib import Path
import psutil
from dispatcher.agents import console, facts
from dispatcher.cli.main import main
computer = Path(sys.argv.pop(1))
def users():
    lines = (computer / "users").read_text().splitlines()
    return [psutil._ntuples.suser(*line.split()[:2], "", float(line.split()[2]), 1) for line in lines]
psutil.users = users
console._LOGIND = computer / "none"
console.LOOK_EVERY_S = 0.05
facts._LINUX_BOOT_ID = computer / "boot_id"
main()
"""


@dataclass
class Computer:
    """A computer with an agent."""

    server: Server
    path: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def boot(self, boot_id: str) -> None:
        """End the agent; start it after the boot with this id, which may be the last one."""
        self.stop()
        (self.path / "boot_id").write_text(boot_id)
        token = dispatcher("token", "enrol", "--once", datastore=self.server.datastore)[-1].split()[-1]
        options = ["--dispatcher", self.server.agents_url, "--name", "pc-1", "--home", str(self.path / "home")]
        with (self.path / "log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", AGENT, str(self.path), "agent", *options],
                    env={**os.environ, "DISPATCHER_ENROL_TOKEN": token},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )
        assert self.server.wait_for_end(self.server.schedule(MODULE, ["pc-1"])) == State.COMPLETED

    def stop(self) -> None:
        while self.processes:
            process = self.processes.pop()
            process.terminate()
            process.wait(20)

    def users(self, *lines: str) -> None:
        """Let these be at the terminals of the computer."""
        new = self.path / "new"
        new.write_text("\n".join(lines))
        new.replace(self.path / "users")


@pytest.fixture
def computer(start_server: Callable[..., Server], tmp_path: Path) -> Iterator[Computer]:
    server = start_server("--no-local-agent")
    file = tmp_path / "library.yaml"
    file.write_text("agents: [{name: pc-1}]\n" + LIBRARY)
    dispatcher("library", "import", str(file), datastore=server.datastore)
    computer = Computer(server, tmp_path / "computer")
    computer.path.mkdir()
    computer.users()
    yield computer
    computer.stop()


def test_an_agent_tells_that_its_computer_was_booted(computer: Computer) -> None:
    server = computer.server
    computer.boot("3f0c7a52-0000-4000-8000-000000000001")
    waiting = server.schedule(MODULE, ["pc-1"], When={"Immediate": True, "NextBoot": True})
    pattern = server.schedule(MODULE, ["pc-1"], When={"Immediate": False, "RecurringSchedule": "BOOT"})

    computer.boot("3f0c7a52-0000-4000-8000-000000000001")
    assert server.get(f"jobs/{waiting}").json()["Status"]["Type"] == State.ACTIVE
    assert occurrences(server, pattern) == []

    computer.boot("3f0c7a52-0000-4000-8000-000000000002")
    assert server.wait_for_end(waiting) == State.COMPLETED
    [first] = occurrences(server, pattern)
    assert server.wait_for_end(first) == State.COMPLETED


def occurrences(server: Server, pattern: str) -> list[str]:
    """Return the ids of the jobs that the recurring job has made."""
    found = server.get("jobs?stage=All&runbookjobs=False&recurringjobs=True&page=1&pagesize=100").json()["Items"]
    return [one["JobID"] for one in found if one["RecurringJobID"] == pattern]


def test_an_agent_tells_who_is_at_its_console(computer: Computer) -> None:
    computer.boot("1")
    assert schedule_for("anna", computer.server).status_code == 400
    computer.users("ben pts/0 2", "CORP\\Anna tty1 1")
    answer = until(200, lambda: schedule_for("anna", computer.server))
    assert computer.server.wait_for_end(answer.json()["JobID"]) == State.COMPLETED
    computer.users("ben pts/0 2")
    answer = until(400, lambda: schedule_for("anna", computer.server))
    assert "no agent whose console user is" in answer.text


def schedule_for(user: str, server: Server) -> requests.Response:
    values = [{"TaskContainerGuid": BOOK, "JobParameters": [{"Name": "RunBookWho", "Value1": user}]}]
    job = {"What": [{"ID": BOOK, "Type": 2}], "Who": [], "When": {"Immediate": True}, "Parameters": values}
    return requests.post(f"{server.service}/jobs", json=job, headers={"Accept": "application/json"}, timeout=30)


def until(status: int, ask: Callable[[], requests.Response]) -> requests.Response:
    deadline = time.monotonic() + 30
    while (answer := ask()).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)
    return answer
