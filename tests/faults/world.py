"""The world that faults befall: real servers and agents, clients that submit all the time, and what they remember."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from checker import Verdict, check
from free_ports import free_port
from real_server import Process, in_a_process

#: How long a run may go without news of it, in seconds.
LEASE_S = 2
READY = re.compile(r"serves clients at (\S+) and agents at (\S+)")
#: In place of a status: the call has not left the client.
UNREACHED = -1
SERVICE = "/Dispatcher/SchedulingService"
ONCE, AGAIN, TWO = (f"{{00000000-0000-4000-8000-0000000000{kind}}}" for kind in ("AA", "BB", "CC"))
#: Every task tells of its beginning and its end in a file of its own, on disk before it goes on.
LIBRARY = """
modules:
  - name: Once
    id: 00000000-0000-4000-8000-0000000000aa
    parameters: [{{name: Text, value: x}}, {{name: Pause, value: '0'}}]
    tasks: [{{type: command, name: one, settings: {{command: '{effect}'}}}}]
  - name: Again
    id: 00000000-0000-4000-8000-0000000000bb
    parameters: [{{name: Text, value: x}}, {{name: Pause, value: '0'}}]
    tasks: [{{type: command, name: one, repeatable: true, settings: {{command: '{effect}'}}}}]
  - name: Two
    id: 00000000-0000-4000-8000-0000000000cc
    parameters: [{{name: Text, value: x}}, {{name: Pause, value: '0'}}]
    tasks:
      - {{type: command, name: one, settings: {{command: '{effect}'}}}}
      - {{type: command, name: two, settings: {{command: '{second}'}}}}
"""
EFFECT = (
    'printf "%s begin\\n" "$[Text]" >> {file}; sync {file}; sleep "$[Pause]"; '
    'printf "%s end\\n" "$[Text]" >> {file}; sync {file}'
)


def library(effects: Path) -> str:
    """Return the library whose tasks append to *effects*."""
    command = EFFECT.format(file=effects)
    return LIBRARY.format(effect=command, second=command.replace("%s", "%s/2"))


@dataclass
class Client:
    """Calls the REST interface over a connection of its own and writes down what it was told."""

    address: Callable[[], str]
    history: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    timeout_s: float = 10.0
    last_status: int = 0
    last_headers: dict[str, str] = field(default_factory=dict)

    def submit(self, what: str, agent: str, text: str, pause_s: float = 0, tries: int = 0, **members: Any) -> str:
        """Submit a job and return its id; empty if that is not known. *tries* repeat it under one key."""
        values = [{"Name": "Text", "Value1": text}, {"Name": "Pause", "Value1": str(pause_s)}]
        job = {
            "Description": text,
            "What": [{"ID": what, "Type": 0}],
            "Who": [{"ID": agent, "Type": 0}],
            "When": {"Immediate": True},
            "Parameters": [{"TaskContainerGuid": what, "JobParameters": values}],
            **members,
        }
        headers = {"Idempotency-Key": text} if tries else {}
        outcome = job_id = ""
        for _ in range(max(tries, 1)):
            status, answer = self.call("POST", "jobs", job, headers)
            if status == 200:
                outcome, job_id = "acknowledged", answer["JobID"]
            elif status != UNREACHED and outcome != "acknowledged":
                # Neither an unexpected error nor a refusal after an unanswered try says that there is no job.
                is_refusal = status in (400, 503) and outcome != "unknown"
                outcome = "refused" if is_refusal else "unknown"
        if outcome:
            effects = [text, f"{text}/2"] if what == TWO else [text]
            repeatable = what == AGAIN
            self.note(call="submit", text=text, outcome=outcome, job=job_id, repeatable=repeatable, effects=effects)
        return job_id

    def call(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        """Return status and answer of one call; status 0 if there was no answer, UNREACHED if nobody was there."""
        parts = urlsplit(self.address())
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=self.timeout_s)
        headers = {"Accept": "application/json", "Content-Type": "application/json", **headers}
        try:
            connection.request(method, f"{SERVICE}/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            self.last_status = answer.status
            self.last_headers = {name.title(): value for name, value in answer.getheaders()}
            content = answer.read()
            return answer.status, json.loads(content) if answer.status == 200 else content
        except ConnectionRefusedError:
            return UNREACHED, b""
        except (OSError, http.client.HTTPException, ValueError):
            return 0, b""
        finally:
            connection.close()

    def note(self, **members: Any) -> None:
        """Add a line to the history."""
        with self.lock, self.history.open("a") as log:
            log.write(json.dumps({**members, "at": time.monotonic()}) + "\n")


class World:
    """One dispatcher with its agents, clients and faults. *start* starts ``dispatcher`` commands."""

    def __init__(self, folder: Path, start: Callable[..., Process], seed: int, datastore: str = "") -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.datastore = datastore or f"sqlite:///{folder / 'server.db'}"
        self.effects, self.history = folder / "effects", folder / "history"
        self.history.touch()
        self.server: Process | None = None
        self.url = self.agents_url = ""
        self.agents: dict[str, Process] = {}
        self.ids: dict[str, str] = {}
        #: The processor time that each start took: unlike the time, it is not others' load.
        self.ready_after_cpu_s: list[float] = []
        self.environment = {
            "DISPATCHER_ENGINE__LEASE_S": str(LEASE_S),
            "DISPATCHER_LOG__LEVEL": "warning",
            "DISPATCHER_DATASTORE__KEY_FILE": str(folder / "server.key"),
        }
        self.client = Client(lambda: self.client_url or self.url, self.history)
        self.client_url = ""  #: where clients call, if it is not the server itself
        self._start = start
        self._token = ""

    def prepare(self, *agents: str, via: str = "", slots: int = 3) -> None:
        """Start the server and the agents, with the library loaded. Agents call *via* another address."""
        self.start_server()
        path = self.folder / "library.yaml"
        path.write_text(library(self.effects))
        self.command("library", "import", str(path))
        self._token = self.command("token", "enrol")[-1].split()[-1]
        for name in agents:
            self.start_agent(name, via, slots=slots)
        self.wait_for_agents()

    def command(self, *words: str) -> list[str]:
        """Run a ``dispatcher`` command on the datastore; return its lines."""
        return in_a_process(*words, datastore=self.datastore, **self.environment)

    def start_server(self, *options: str, **environment: str) -> Process:
        """Start the server, on the same ports each time, and wait until it is ready."""
        listen = [urlsplit(url).netloc or f"127.0.0.1:{free_port()}" for url in (self.url, self.agents_url)]
        self.server = self._start(
            *("--datastore", self.datastore, "serve", "--listen", listen[0], "--agents", listen[1]),
            *("--no-local-agent", *options),
            **{**self.environment, **environment},
        )
        self.url, self.agents_url = self.server.wait_for(READY, 60).groups()
        used = psutil.Process(self.server.popen.pid).cpu_times()
        self.ready_after_cpu_s.append(used.user + used.system)
        return self.server

    def start_agent(self, name: str, via: str = "", slots: int = 3, **environment: str) -> Process:
        """Start an agent, or start it again."""
        home = str(self.folder / f"agent-{name}")
        addresses = [part for url in (via or self.agents_url).split(",") for part in ("--dispatcher", url)]
        options = ["--name", name, "--home", home, "--slots", str(slots)]
        process = self._start("agent", *addresses, *options, DISPATCHER_ENROL_TOKEN=self._token, **environment)
        self.agents[name] = process
        return process

    def wait_for_agents(self, limit_s: float = 30) -> None:
        """Wait until all agents are there; remember their ids."""
        deadline = time.monotonic() + limit_s
        while set(self.ids) < set(self.agents):
            assert time.monotonic() < deadline, f"only {self.ids} came"
            _, found = self.client.call("GET", "who?agents=True&teams=False&online=True", None, {})
            self.ids |= {who["Name"]: who["ID"] for who in found or []}
            time.sleep(0.1)

    def kill_agent(self, name: str, *, with_slots: bool = False) -> None:
        """Kill an agent at once, with its slots or without."""
        process = self.agents[name]
        family = psutil.Process(process.popen.pid).children(recursive=True) if with_slots else []
        process.kill()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()

    @contextlib.contextmanager
    def load(self, rate: float, *, clients: int = 2, pause_s: float = 0.2, tries: int = 0) -> Iterator[None]:
        """Submit *rate* jobs a second from *clients* threads until the end of the block: all kinds, all agents."""
        is_over = threading.Event()

        def submit(number: int, chance: random.Random) -> None:
            count = 0
            while not is_over.is_set():
                kind = chance.choice((ONCE, ONCE, AGAIN, TWO))
                agent = self.ids[chance.choice(sorted(self.ids))]
                pause = round(chance.uniform(0, pause_s), 2)
                self.client.submit(kind, agent, f"c{number}-{count}", pause, chance.randint(1, tries) if tries else 0)
                count += 1
                is_over.wait(chance.expovariate(rate / clients))

        threads = [
            threading.Thread(target=submit, args=(number, random.Random(self.random.random())))
            for number in range(clients)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def judge(self, limit_s: float = 30) -> Verdict:
        """Let the checker look at it all."""
        return check(self.url, self.history, self.effects, limit_s)


@contextlib.contextmanager
def paused(process: Process) -> Iterator[None]:
    """Stop a process as if its machine stood still."""
    os.kill(process.popen.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.popen.pid, signal.SIGCONT)
