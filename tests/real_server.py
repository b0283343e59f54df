"""A real server in a process of its own, for the tests that need one. Loaded as a pytest plugin by ``conftest``."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests
import structlog
from click.testing import CliRunner
from free_ports import free_port
from made_once import an_empty_database

from dispatcher.cli.main import cli

_READY = re.compile(r"serves clients at (\S+) and agents at (\S+)")


@dataclass
class Process:
    """A ``dispatcher`` command that runs, and what it has written."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    _said: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            with self._said:
                self.lines.append(line)
                self._said.notify_all()

    def wait_for(self, pattern: re.Pattern[str], timeout_s: float = 30) -> re.Match[str]:
        """Return the first match of *pattern* in what the process writes."""
        deadline = time.monotonic() + timeout_s
        with self._said:
            while time.monotonic() < deadline:
                for line in self.lines:
                    if match := pattern.search(line):
                        return match
                if self.popen.poll() is not None and not self._said.wait(0.5):
                    break
                self._said.wait(0.5)
        raise AssertionError(f"no {pattern.pattern!r} in:\n{''.join(self.lines)}")

    def kill(self) -> None:
        """Kill the process itself, and nothing else, at once."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self) -> int:
        """Ask the process to end; return its exit code."""
        self.popen.terminate()
        return self.popen.wait(20)


@dataclass
class Server:
    """A server that accepts connections."""

    process: Process
    url: str
    agents_url: str
    datastore: str

    @property
    def service(self) -> str:
        """The base address of the SchedulingService."""
        return f"{self.url}/Dispatcher/SchedulingService"

    def get(self, path: str, **options: object) -> requests.Response:
        """GET *path* below the service, as JSON."""
        return requests.get(f"{self.service}/{path}", headers={"Accept": "application/json"}, timeout=30, **options)

    def schedule(self, what: str, who: list[str], **members: object) -> str:
        """Schedule a module for agents by id over REST-JSON; return the job's id."""
        job = {
            "What": [{"ID": what, "Type": 0}],
            "Who": [{"ID": agent, "Type": 0} for agent in who],
            "When": {"Immediate": True},
            **members,
        }
        answer = requests.post(f"{self.service}/jobs", json=job, headers={"Accept": "application/json"}, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["JobID"])

    def wait_for_end(self, job_id: str, timeout_s: float = 30) -> int:
        """Return the number of the state that the job ends in."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            state = int(self.get(f"jobs/{job_id}").json()["Status"]["Type"])
            if state not in (0, 1, 2, 10):
                return state
            time.sleep(0.05)
        raise AssertionError(f"job {job_id} does not end; it is {state}")

    def wait_for_agents(self, count: int, **options: object) -> list[str]:
        """Return the ids of the agents once *count* of them are online; *options* are of the request that asks."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = self.get("who?agents=True&teams=False&online=True", **options).json()
            if len(found) >= count:
                return [str(who["ID"]) for who in found]
            time.sleep(0.05)
        raise AssertionError(f"fewer than {count} agents came")


def dispatcher(*arguments: str, datastore: str, given: str = "") -> list[str]:
    """Run a ``dispatcher`` command to its end, with *given* as its input; return its lines.

    In this process: to start one takes a second, nearly all of it for what has been imported here already.
    """
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        done = CliRunner().invoke(cli, ["--datastore", datastore, *arguments], input=given, prog_name="dispatcher")
    finally:  # its log is written to what is closed now
        root.handlers[:], root.level = handlers, level
        structlog.configure(**configured)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def in_a_process(*arguments: str, datastore: str, given: str = "", **environment: str) -> list[str]:
    """Run a ``dispatcher`` command as ``dispatcher`` does, but in a process of its own, with *environment*."""
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "--datastore", datastore, *arguments],
        env={**os.environ, **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def _a_datastore(folder: Path) -> str:
    """Return the URL of an empty datastore in *folder*, which a server need not make."""
    file = folder / "server.db"
    file.touch(mode=0o600)
    file.write_bytes(an_empty_database())
    return f"sqlite:///{file}"


@contextmanager
def serving(folder: Path, *options: str, library: str, logins: Mapping[str, str]) -> Iterator[Server]:
    """Serve *library* from a datastore of its own in *folder*; *logins* maps names to passwords."""
    datastore, written = _a_datastore(folder), folder / "library.yaml"
    written.write_text(library, encoding="utf-8")
    dispatcher("library", "import", str(written), datastore=datastore)
    for login, password in logins.items():
        dispatcher("login", "add", login, "--password-stdin", datastore=datastore, given=password)
    command = [sys.executable, "-u", "-m", "dispatcher", "--datastore", datastore, "serve"]
    popen = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0", *options],
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process = Process(popen)
    try:
        url, agents_url = process.wait_for(_READY).groups()
        yield Server(process, url, agents_url, datastore)
    finally:
        family = psutil.Process(popen.pid).children(recursive=True)
        process.stop()
        assert psutil.wait_procs(family, timeout=10)[1] == []
        popen.stdin.close()  # type: ignore[union-attr]
        popen.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start ``dispatcher`` commands; whatever they left is ended after the test, by process id."""
    processes: list[Process] = []

    def start(*arguments: str, **environment: str) -> Process:
        popen = subprocess.Popen(
            [sys.executable, "-u", "-m", "dispatcher", *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(Process(popen))
        return processes[-1]

    yield start
    for process in processes:
        family = []
        if process.popen.poll() is None:
            family = psutil.Process(process.popen.pid).children(recursive=True)
            process.stop()
        for member in family:
            if member.is_running():
                member.kill()
        process.popen.stdin.close()  # type: ignore[union-attr]
        process.popen.stdout.close()  # type: ignore[union-attr]


@pytest.fixture
def start_server(start: Callable[..., Process], tmp_path: Path) -> Callable[..., Server]:
    """Start a server; the datastore is the same file each time, and so are the ports."""
    listen = ["--listen", f"127.0.0.1:{free_port()}", "--agents", f"127.0.0.1:{free_port()}"]
    datastore = _a_datastore(tmp_path)

    def start_server(*options: str, **environment: str) -> Server:
        process = start("--datastore", datastore, "serve", *listen, *options, **environment)
        url, agents_url = process.wait_for(_READY).groups()
        return Server(process, url, agents_url, datastore)

    return start_server


@pytest.fixture
def start_agent(start: Callable[..., Process], tmp_path: Path) -> Callable[[Server, str], Process]:
    """Start an agent by hand, as an operator would: with a token from the command line."""

    def start_agent(server: Server, name: str) -> Process:
        token = dispatcher("token", "enrol", "--once", datastore=server.datastore)[-1].split()[-1]
        home = str(tmp_path / f"agent-{name}")
        return start(
            "agent", "--dispatcher", server.agents_url, "--name", name, "--home", home, DISPATCHER_ENROL_TOKEN=token
        )

    return start_agent
