"""A client of Ivanti Endpoint Security: discoveries and deployments by real agents, all of it on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from ies_session import Client
from real_server import Process, Server, dispatcher

LOOPBACK = "127.0.0.0/8,::1"
#: The seed's sample of a body, as it stands there but for names and addresses: raw line breaks within the text.
DISCOVERY = """{
"value" : "{
Name: \\"Test\\",
JobType: 1,
StartTime: \\"2022-03-03T11:30:00.000Z\\",
DiscoveryOptions: {PortScanDiscovery: true, IcmpDiscovery: true},
DiscoveryTargets:{
RangeIpTargets:[{StartIp: \\"127.0.0.0\\", EndIP: \\"127.0.0.15\\", Timeout: 500, Retry: 0}],
SingleIpTargets: [{Ip: \\"192.168.0.100\\"}]
},
}"
}"""
SWEEP = (
    '{Name: "all of it", JobType: 1, StartTime: "2022-03-03T11:30:00.000Z", DiscoveryOptions: {IcmpDiscovery: true},'
    ' DiscoveryTargets: {RangeIpTargets: [{StartIp: "127.3.0.0", EndIp: "127.3.255.255", Timeout: 500, Retry: 0}]}}'
)


@pytest.fixture
def server(start_server: Callable[..., Server]) -> Server:
    """A server whose tasks call nobody but this computer."""
    found = start_server(DISPATCHER_NETWORK__ALLOWED_TARGETS=LOOPBACK)
    found.wait_for_agents(1)
    return found


@pytest.fixture
def opened() -> Iterator[list[tuple[str, int]]]:
    """Ports of some computers that somebody listens at."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((f"127.0.0.{host}", 0))) for host in (3, 5)]
        yield [one.getsockname() for one in sockets]


def test_a_discovery_finds_the_computers_of_a_network_and_what_they_listen_at(
    server: Server, opened: list[tuple[str, int]]
) -> None:
    client, ports = Client(server), ",".join(str(port) for _, port in opened)
    dispatcher("setting", "set", "discovery.ports", ports, datastore=server.datastore)

    made = client.post("Jobs", DISCOVERY)

    found = client.ended(f"Jobs({made['Id']})")
    assert found["Status"] == "Completed"
    results = {(one["Target"], one["Status"]) for one in found["Results"]}
    assert ("192.168.0.100", "Refused by policy") in results
    assert {(f"127.0.0.{host}", "Found") for host in range(1, 16)} <= results
    assert "1 refused by policy" in found["Remarks"][-1]
    endpoints = {one["IpAddress"]: one for one in client.get("Endpoints")["value"]}
    for host, port in opened:
        assert endpoints[host]["OpenPorts"] == [port]
        assert {"icmp", "ports"} >= set(endpoints[host]["DiscoveredBy"]) > set()
    assert endpoints["127.0.0.2"]["OpenPorts"] == []
    assert not endpoints["127.0.0.2"]["HasAgent"]
    assert "127.0.0.5\tFound" in result_document(server)


def test_a_sweep_that_is_aborted_ends_at_once_and_keeps_what_it_has_found(server: Server) -> None:
    client = Client(server)
    made = client.post("Jobs", SWEEP)
    deadline = time.monotonic() + 30
    while not client.get(f"Jobs({made['Id']})")["Results"]:  # until the first has answered
        assert time.monotonic() < deadline
        time.sleep(0.05)

    abort = requests.put(f"{server.service}/jobs/{only_job(server)}", json={"Type": 2}, timeout=30)

    assert abort.status_code == 200
    assert client.ended(f"Jobs({made['Id']})", timeout_s=20)["Status"] == "Canceled"
    assert 0 < client.get("Endpoints?$count=true&$top=1")["@odata.count"] < 65_536


LIBRARY = """
modules:
  - name: Autumn patch
    tasks:
      - {type: package, name: install, settings: {command: 'echo "@[name]" >> FOLDER/installed', restart: never}}
  - name: Winter patch
    tasks:
      - {type: package, name: install, settings: {command: 'echo "@[name]" >> FOLDER/winter', restart: always}}
  - name: Finish a deployment
    id: 3b6f0a52-7d0c-4f0e-9a63-5c1f6b2e8d08
    folder: Built-in
    aliases: {ivanti_endpoint_security: {step: restart}}
    tasks:
      - {name: restart, type: restart_if_needed, settings: {ask_system: false, command: 'touch FOLDER/restarted'}}
projects:
  - {name: Autumn, modules: [{module: Autumn patch}]}
  - {name: Winter, modules: [{module: Winter patch}]}
teams:
  - {name: Everybody, rule: 'true'}
agent_policies:
  - {name: Strict, team: Everybody, allow_cancel: false, allow_snooze: false}
"""


def test_a_deployment_to_agents_and_a_group_installs_once_on_each(
    server: Server, start_agent: Callable[[Server, str], Process], tmp_path: Path
) -> None:
    start_agent(server, "pc-2")
    server.wait_for_agents(2)
    (tmp_path / "more.yaml").write_text(LIBRARY.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    dispatcher("library", "import", str(tmp_path / "more.yaml"), datastore=server.datastore)
    client = Client(server)
    agents = [one["Guid"] for one in client.get("Endpoints")["value"]]
    [group] = client.get("Groups?$filter=Name eq 'Everybody'")["value"]
    lists = {one["Name"]: one["Id"] for one in client.get("CustomPatchLists")["value"]}

    made = client.post(
        "DeploymentGroups",
        f"{{ CustomPatchListId : {lists['Autumn']}, AgentGuids : {agents}, GroupIds: [{group['Id']}],\n"
        'StartTime: "2023-01-06T11:35:02.007Z", Notify: {DeployWithin: 0}\nReboot: {RebootWithin: 0} }',
    )

    done = client.ended(f"DeploymentGroups({made['Id']})")
    assert done["Status"] == "Completed"
    assert sorted(one["AgentGuid"] for one in done["Results"]) == sorted(agents)
    assert len((tmp_path / "installed").read_text().split()) == 2
    assert not (tmp_path / "restarted").exists()  # nothing that was installed needs it


def test_a_restart_that_is_needed_is_refused_where_the_computer_does_not_allow_it(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "more.yaml").write_text(LIBRARY.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    dispatcher("library", "import", str(tmp_path / "more.yaml"), datastore=server.datastore)
    client = Client(server)
    lists = {one["Name"]: one["Id"] for one in client.get("CustomPatchLists")["value"]}
    [agent] = [one["Guid"] for one in client.get("Endpoints")["value"]]

    made = client.post(
        "DeploymentGroups",
        f'{{CustomPatchListId: {lists["Winter"]}, AgentGuids: ["{agent}"], StartTime: "2023-01-06T11:35:02Z"}}',
    )

    done = client.ended(f"DeploymentGroups({made['Id']})")
    assert (tmp_path / "winter").exists()
    assert not (tmp_path / "restarted").exists()
    assert done["Status"] == "Failed"


def only_job(server: Server) -> str:
    """Return the id of the only job there is."""
    [job] = server.get("jobs?stage=All").json()["Items"]
    return str(job["JobID"])


def result_document(server: Server) -> str:
    """Return the result document of the only job there is, as clients of Ivanti Automation get it."""
    answer = server.get(f"jobs/{only_job(server)}/results?overview=true&detailed=true").json()
    return bytes(answer["Xml"]).decode("utf-16-le")
