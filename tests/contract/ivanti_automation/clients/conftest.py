"""The PowerShell clients' world: two real servers with an agent each, one of which knows a login."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import powershell
import pytest
from powershell import objects_of
from traffic import Answer, Cmdlet, PowerShell, WindowsPowerShell

from real_server import Server, serving  # isort: skip

SERVICE = "/Dispatcher/SchedulingService"
LOGIN, PASSWORD = "Jürgen", "pa:ss wörd"
PATCH = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
RESTART = "{5CF59E5A-343C-4D85-A83C-8B18E4731041}"
SLEEP = "{5CF59E5A-343C-4D85-A83C-8B18E4731042}"
PREPARE = "{5CF59E5A-343C-4D85-A83C-8B18E47310AA}"
ORDER = "{0A8B2C4D-0000-4000-8000-00000000B00C}"
NIGHTLY = "{0A8B2C4D-0000-4000-8000-00000000B00D}"
TEAM = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F9AA}"
LIBRARY = r"""
modules:
  - name: Patch
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731040
    folder: Demo/Patching
    description: Installs <patches> & more, it's said
    parameters:
      - {name: Ring, type: list, value: '1', choices: ['1', '2', '3'], labels: [first, second, third], hint: Which one}
      - {name: Note, value: nothing}
      - {name: Parts, type: multiselect, value: 'a;b', choices: [a, b, c], labels: [A, B, C]}
      - {name: Account, type: credentials, value: 'corp\patcher'}
      - {name: Unused, value: never asked}
    tasks:
      - type: command
        name: install
        settings: {command: 'printf "<%s> <%s> <%s> <%s>" "$[Ring]" "$[Note]" "$[Parts]" "$[Account]"'}
  - name: Restart
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731041
    tasks: [{type: command, name: restart, settings: {command: 'true'}}]
  - name: Sleep
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731042
    tasks: [{type: command, name: sleep, settings: {command: 'sleep 60'}}]
  - name: Assign
    id: 5cf59e5a-343c-4d85-a83c-8b18e4731043
    parameters: [{name: VMName, value: ''}, {name: SecondOwner, value: nobody}, {name: PricePerDay, value: '0'}]
    tasks:
      - type: command
        name: assign
        settings: {command: 'printf "<%s> <%s> <%s>" "$[VMName]" "$[SecondOwner]" "$[PricePerDay]"'}
projects:
  - name: Prepare a computer
    id: 5cf59e5a-343c-4d85-a83c-8b18e47310aa
    modules: [{module: Patch, parameters: {Note: '$[Note]'}}, {module: Restart}]
runbooks:
  - name: Order a desktop
    id: 0a8b2c4d-0000-4000-8000-00000000b00c
    parameters: [{name: VMName, value: ''}, {name: SecondOwner, value: nobody}, {name: PricePerDay, value: '0'}]
    steps:
      - name: assign
        module: Assign
        who: [{ask: true}]
        parameters: {VMName: '$[VMName]', SecondOwner: '$[SecondOwner]', PricePerDay: '$[PricePerDay]'}
      - {name: restart, module: Restart, who: [{ask: true}]}
  - name: Nightly
    id: 0a8b2c4d-0000-4000-8000-00000000b00d
    steps: [{name: restart, module: Restart, who: [{team: Dispatchers}]}]
teams:
  - {name: Dispatchers, id: 6ae2e5b5-d5c8-4728-a10a-12e25bd5f9aa, rule: 'true'}
  - {name: Zürich Süd, rule: 'false'}
"""


class Client:
    """A PowerShell process that has loaded a module: what it asks, and what it makes of the answers."""

    def __init__(self, cmdlet: Cmdlet, version: int) -> None:
        self.cmdlet = cmdlet
        self.version = version
        self._to_json = powershell.to_json_5 if version == 5 else powershell.to_json_7

    def send(self, method: str, path: str, body: str | None = None) -> Answer:
        return self.cmdlet.send(method, f"{SERVICE}/{path}", body)

    def get(self, path: str) -> Any:
        """Return the objects that Invoke-RestMethod makes of what is at *path*."""
        return objects_of(self.send("GET", path), self.version)

    def put(self, path: str, value: Any, depth: int = 2) -> Any:
        return objects_of(self.send("PUT", path, self._to_json(value, depth)), self.version)

    def post(self, path: str, value: Any, depth: int = 99) -> Any:
        return objects_of(self.send("POST", path, self._to_json(value, depth)), self.version)

    def wait_for(self, job_id: str, *states: int) -> Any:
        """Return the job once it is in one of *states*; by default once it has ended."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            job = self.get(f"jobs/{job_id}")
            if job["Status"]["Type"] in (states or (3, 4, 5, 6, 7, 8, 9, 11)):
                return job
            time.sleep(0.05)
        raise AssertionError(f"job {job_id} is still {job['Status']['Type']}")

    def output_of(self, job_id: str) -> str:
        """Return what the tasks of a job wrote, one after the other."""
        document = powershell.xml(bytes(self.get(f"jobs/{job_id}/results?detailed=True")["Xml"]))
        return "".join(document.xpath("//result/log/text()"))


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without logins."""
    with serving(tmp_path_factory.mktemp("open"), library=LIBRARY, logins={}) as running:
        yield running


@pytest.fixture(scope="session")
def guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a login."""
    with serving(tmp_path_factory.mktemp("guarded"), library=LIBRARY, logins={LOGIN: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session")
def servers(open_server: Server, guarded_server: Server) -> dict[bool, Server]:
    """Both servers, by whether a login is wanted, with their agents online."""
    for server in (open_server, guarded_server):
        deadline = time.monotonic() + 30
        with closing(WindowsPowerShell(server.url, (LOGIN, PASSWORD))) as cmdlet:
            while not Client(cmdlet, 5).get("who?teams=false&online=true"):
                assert time.monotonic() < deadline, "no agent came"
                time.sleep(0.05)
    return {False: open_server, True: guarded_server}


@pytest.fixture(params=["5.1 without logins", "5.1", "7.2", "7.5"])
def client(request: pytest.FixtureRequest, servers: dict[bool, Server]) -> Iterator[Client]:
    """A client of each PowerShell; its user gave credentials, which are asked for or not."""
    credential = LOGIN, PASSWORD
    cmdlets: dict[str, Callable[[], Cmdlet]] = {
        "5.1 without logins": lambda: WindowsPowerShell(servers[False].url, credential),
        "5.1": lambda: WindowsPowerShell(servers[True].url, credential),
        "7.2": lambda: PowerShell(servers[True].url, credential, "7.2.24", accept="application/json"),
        "7.5": lambda: PowerShell(servers[True].url, credential, "7.5.4"),
    }
    client = Client(cmdlets[request.param](), int(request.param[0]))
    yield client
    client.cmdlet.close()


@pytest.fixture
def agent(client: Client) -> dict[str, Any]:
    """The agent, as the service tells of it."""
    (agent,) = client.get("who?teams=False")
    return dict(agent)
