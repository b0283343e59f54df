"""A client of Ivanti Endpoint Security: real agents are installed over SSH and taken away again, on loopback only."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from ies_session import Client
from ies_world import as_written
from real_server import Server, in_a_process, serving
from setup_world import JOB, LIBRARY, TEAM, Target, wait_until, watching
from ssh_servers import USER, a_key, needs_sshd

from dispatcher.tasks.agent_setup.on_linux import processes

pytestmark = [needs_sshd, pytest.mark.timeout(300)]
#: States of a job, by their numbers: it has ended well, or not ended yet.
COMPLETED, OPEN = 4, (0, 1, 2, 10)
JOB_SAMPLE = """{
Name: "%(name)s",
JobType: %(kind)d,
StartTime: "2022-03-03T11:30:00.000Z",
%(more)s
DiscoveryOptions: {IcmpDiscovery: true, PortScanDiscovery: true},
DiscoveryTargets: {
SingleIpTargets: [{Ip: "127.0.0.1", Timeout: 1000, Retry: 0}],
}}"""
#: A token as it is shown: 256 bits.
TOKEN = re.compile(rb"(?=([A-Za-z0-9_-]{43}))")


@dataclass
class Site:
    """A server with its local agent, a computer that it can log in to, and a client."""

    server: Server
    target: Target
    client: Client
    folder: Path
    seen: set[bytes]  #: command lines and environments of processes
    local: str = ""  #: the key of the server's own agent

    def order(self, kind: int, credentials: str | None, **members: Any) -> Any:
        """Order a job as the seed writes it; return what it is when it has ended."""
        return self.client.ended(f"Jobs({self.begin(kind, credentials, **members)})")

    def begin(self, kind: int, credentials: str | None, **members: Any) -> int:
        more = "".join(f"{name}: {json.dumps(value)},\n" for name, value in members.items())
        if credentials is not None:
            more += f"Credentials: {{ Username: {json.dumps(USER)}, Password: {json.dumps(credentials)}, }},\n"
        body = as_written(JOB_SAMPLE % {"name": f"of type {kind}", "kind": kind, "more": more})
        return int(self.client.post("Jobs", body.decode())["Id"])

    @property
    def password(self) -> str:
        return self.target.sshd.private_key

    def endpoints(self) -> dict[str, Any]:
        """Return the endpoints with an agent but for the local one, by their keys."""
        found = self.client.get("Endpoints?$filter=HasAgent eq true")["value"]
        return {one["Guid"]: one for one in found if one["Guid"] != self.local}

    def local_agent(self) -> psutil.Process:
        """Return the process of the server's own agent."""
        family = psutil.Process(self.server.process.popen.pid).children()
        [found] = [one for one in family if "--local" in one.cmdline()]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose tasks call nobody but this computer."""
    folder = tmp_path_factory.mktemp("site")
    target = Target(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPATCHER_NETWORK__ALLOWED_TARGETS", "127.0.0.0/8,::1")
        patch.setenv("DISPATCHER_ENGINE__LEASE_S", "8")
        with serving(folder, library=LIBRARY, logins={}) as server, watching() as seen:
            server.wait_for_agents(1)
            port = str(target.sshd.port)
            for name in ("agents.ssh_port", "discovery.ports"):
                in_a_process("setting", "set", name, port, datastore=server.datastore)
            found = Site(server, target, Client(server), folder, seen)
            [found.local] = found.endpoints()
            try:
                yield found
            finally:
                target.sshd.stop()
                assert processes.stop(target.directory, 5) == []


def of_computer(job: Any) -> tuple[str, str]:
    """Return what the last task says of the computer."""
    last = [one for one in job["Results"] if one["Target"] == "127.0.0.1"][-1]
    return last["Status"], last["Detail"]


@pytest.mark.parametrize(
    ("kind", "password", "why"),
    [
        (2, a_key()[0], f"127.0.0.1 refused {USER} by key"),
        (2, None, "no credentials are given"),
        (3, "", "no credentials are given"),
    ],
    ids=["wrong", "none", "empty"],
)
def test_who_cannot_log_in_installs_and_removes_nothing(site: Site, kind: int, password: str | None, why: str) -> None:
    job = site.order(kind, password)
    assert (job["Status"], of_computer(job)) == ("Failed", ("Access Denied", why))
    assert ("127.0.0.1", "Found") in {(one["Target"], one["Status"]) for one in job["Results"]}
    assert (site.endpoints(), site.target.files()) == ({}, [])


def test_an_agent_whose_installer_is_killed_is_installed_kept_replaced_and_uninstalled_and_no_secret_is_left(
    site: Site,
) -> None:
    begun = enrolling(site, Modules={"AV": True, "PR": True, "AC": False})
    site.local_agent().kill()
    require_nothing(site)
    installed = site.client.ended(f"Jobs({begun})", timeout_s=120)  # once the lease of who was killed is over
    assert (installed["Status"], of_computer(installed)[0]) == ("Completed", "Installed")
    [(first, endpoint)] = site.endpoints().items()
    assert first in of_computer(installed)[1]
    assert endpoint["Modules"] == ["AV", "PR"]
    modules = site.client.get(f"Endpoints({first})/EndpointModules")["value"]
    assert {one["Id"] for one in modules if one["IsInstalled"]} == {"AV", "PR"}
    # The team finds it by its facts, and nobody else; what it is told to do fails without them.
    work = site.server.schedule(JOB, [], Who=[{"ID": TEAM, "Type": 1}])
    assert site.server.wait_for_end(work) == COMPLETED
    [process] = site.target.agents()

    kept = site.order(2, site.password, OverwriteExistingAgents=False)
    assert (kept["Status"], of_computer(kept)) == ("Completed", ("Already installed", f"agent {first}"))
    assert process in site.target.agents()

    replaced = site.order(2, site.password, OverwriteExistingAgents=True, Modules={"DC": True})
    assert (replaced["Status"], of_computer(replaced)[0]) == ("Completed", "Replaced")
    assert process not in site.target.agents()
    wait_until(lambda: first not in site.endpoints(), "the agent that was replaced is known still", 60)
    assert [one["Modules"] for one in site.endpoints().values()] == [["DC"]]
    assert loses_history(site, first)
    require_no_secrets(site)

    removed = site.order(3, site.password)
    assert (removed["Status"], of_computer(removed)[0]) == ("Completed", "Uninstalled")
    assert (site.target.processes(), site.target.files()) == ([], [])
    wait_until(lambda: site.endpoints() == {}, "the agent that was uninstalled is known still", 60)
    require_no_secrets(site)


def loses_history(site: Site, agent: str) -> bool:
    """Whether what *agent*, which is removed, has done goes too: little by little from now on."""
    with sqlite3.connect(f"file:{site.folder / 'server.db'}?mode=ro", uri=True) as database:
        query = "SELECT history_removed_at IS NOT NULL FROM agent WHERE lower(hex(id)) = ?"
        return bool(database.execute(query, [agent.replace("-", "")]).fetchone()[0])


def require_no_secrets(site: Site) -> None:
    """Check that neither password nor token stands anywhere but where it was sent."""
    secret = site.password.splitlines()[2].encode()
    spots: dict[str, bytes] = {str(file): file.read_bytes() for file in site.folder.rglob("*") if file.is_file()}
    spots["the log"] = "".join(site.server.process.lines).encode()
    spots["the answers"] = "".join(site.client.read).encode()
    spots["the processes"] = b"\0".join(site.seen)
    assert b"Replaced" in spots["the answers"]
    assert b"--enrol-only" in spots["the processes"]
    for name, data in spots.items():
        assert secret not in data, name
        assert not holds_token(site, data), name


def holds_token(site: Site, data: bytes) -> bool:
    """Whether one of the tokens that the server has made, of which it knows the hashes, stands in *data*."""
    with sqlite3.connect(f"file:{site.folder / 'server.db'}?mode=ro", uri=True) as database:
        hashes = {bytes(row[0]) for row in database.execute("SELECT hash FROM token")}
    return any(hashlib.sha256(text).digest() in hashes for text in TOKEN.findall(data))


def test_a_token_is_found_where_it_stands(site: Site) -> None:
    shown = in_a_process("token", "enrol", datastore=site.server.datastore)[-1].split()[-1]
    assert holds_token(site, f"(({shown}))".encode())
    assert not holds_token(site, shown[1:].encode())


def test_an_installation_that_is_aborted_leaves_nothing(site: Site) -> None:
    begun = enrolling(site)
    [job] = [one for one in site.server.get("jobs?stage=All").json()["Items"] if one["Status"]["Type"] in OPEN]
    answer = requests.put(f"{site.server.service}/jobs/{job['JobID']}", json={"Type": 2}, timeout=30)
    assert answer.status_code == 200
    require_nothing(site)
    assert site.client.ended(f"Jobs({begun})")["Status"] == "Canceled"


def enrolling(site: Site, **members: Any) -> int:
    """Order an installation; return its number when the new agent has enrolled, and nobody has been told."""
    begun = site.begin(2, site.password, **members)
    known = site.target.directory.with_name("agent.new") / "home" / "identity.json"
    wait_until(known.exists, "it does not enrol", 60)
    return begun


def require_nothing(site: Site) -> None:
    """Check that all is undone at once: the computer is as it was, and nobody knows of the agent."""
    wait_until(lambda: site.target.files() == [], "something is left there", 60)
    assert (site.endpoints(), site.target.processes()) == ({}, [])
