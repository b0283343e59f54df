"""The job types of the vendor's page from the order to the result: the shipped modules, and agents that run them.

Asked for by python-opsramp. Everything that they log in to, or ask, is on loopback.
"""

from __future__ import annotations

import html
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from domain_controller import DomainController
from opsramp import binding
from ssh_servers import SSHD, USER, Sshd, needs_sshd

from dispatcher.core.states import State
from dispatcher.tasks.directory_check import PORTS

from real_server import Server, dispatcher, serving  # isort: skip

LOGIN, SECRET = "integration", "s3cret"
SWITCH = "709824de-8315-4cf9-ad1c-b15aaf7bf2a5"
BOX, LOGINS = "4e96d5bc-763c-4c00-beab-928d653a0424", "4e96d5bc-763c-4c00-beab-928d653a0425"
CONTROLLER, NOBODY = "4e96d5bc-763c-4c00-beab-928d653a0422", "4e96d5bc-763c-4c00-beab-928d653a0423"
#: Two addresses of loopback: a controller is at the ports that they all have.
AT, NOWHERE = "127.0.0.77", "127.0.0.78"
NEVER = {"startDate": "2016-04-14T10:10:10+0000", "pattern": {"type": "never"}}
#: In the place of the package manager of the computer, where the tests must install nothing: it tells what it is asked.
MANAGER = """#!/bin/sh
[ "$3" != install ] || echo "DEBIAN_FRONTEND=$DEBIAN_FRONTEND installs $4 and $5"
case $5 in missing) echo "Unable to locate package missing" >&2; exit 100 ;; esac
"""


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd | None]:
    if SSHD is None:
        yield None
        return
    server = Sshd(tmp_path_factory.mktemp("device"), device=True)
    for name in ("startup-config", "running-config"):
        (server.place / name).write_text(f"hostname sw\n! {name}\n")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd | None]:
    """A computer with a shell, and without an agent."""
    if SSHD is None:
        yield None
        return
    server = Sshd(tmp_path_factory.mktemp("box"))
    yield server
    server.stop()


def key_of(server: Sshd | None) -> str:
    """Return the members of a credential set that logs in to *server*."""
    if server is None:
        return "    user: nobody\n"
    key = "".join(f"      {line}\n" for line in server.private_key.splitlines())
    return f"    user: {USER}\n    port: {server.port}\n    private_key: |\n{key}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, device: Sshd | None, box: Sshd | None) -> Iterator[Server]:
    programs, home = tmp_path_factory.mktemp("programs"), tmp_path_factory.mktemp("server")
    for name, text in {"apt-get": MANAGER, "sudo": '#!/bin/sh\nshift\nexec "$@"\n'}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    config = home / "dispatcher.toml"
    config.write_text('[network]\nallowed_targets = ["127.0.0.0/8"]\n')
    library = (
        "teams: [{name: client_5, rule: 'true'}]\n"
        "agents:\n"
        f"  - {{name: sw, id: {SWITCH}, address: 127.0.0.1, primary_team: client_5}}\n"
        f"  - {{name: dc, id: {CONTROLLER}, address: {AT}, primary_team: client_5}}\n"
        f"  - {{name: nobody, id: {NOBODY}, address: {NOWHERE}, primary_team: client_5}}\n"
        f"  - {{name: box, id: {BOX}, address: 127.0.0.1, primary_team: client_5}}\n"
        f"credential_sets:\n  - name: Switches\n    agents: [sw]\n{key_of(device)}"
        f"  - name: Boxes\n    agents: [box]\n{key_of(box)}"
        f"  - name: Logins\n    id: {LOGINS}\n    teams: [client_5]\n{key_of(box)}"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        with serving(home, "--config", str(config), library=library, logins={LOGIN: SECRET}) as running:
            (agent,) = running.wait_for_agents(1, auth=(LOGIN, SECRET))
            # Only who is listed in a team works for its devices.
            (home / "members.yaml").write_text(f"teams: [{{name: client_5, agents: [{agent.strip('{}')}]}}]\n")
            dispatcher("library", "import", str(home / "members.yaml"), datastore=running.datastore)
            yield running


@pytest.fixture
def tenant(server: Server) -> Any:
    return binding.connect(server.url, LOGIN, SECRET).tenant("client_5")


@pytest.fixture
def computer(tenant: Any) -> str:
    """Return the id of the resource that the agent is on."""
    (found,) = tenant.resources().minimal("queryString=agentInstalled:true")["results"]
    return str(found["id"])


@pytest.fixture
def run(server: Server, tenant: Any) -> Callable[..., tuple[int, str]]:
    """Order a job, and return how its only run ended and the result document that the SchedulingService exports."""

    def run(resource: str, job_type: str, approve: bool = False, **script: Any) -> tuple[int, str]:
        entities = [{"resource": {"id": resource, "type": "DEVICE"}}]
        order = {"name": job_type, "entities": entities, "script": {"jobType": job_type, **script}, "schedule": NEVER}
        job = tenant.api.post("jobs", json=order)
        occurrence = occurrence_of(job["id"])
        if approve:
            assert state_of(occurrence) not in (State.COMPLETED, State.FAILED)
            tenant.api.post(f"jobs/{job['id']}/approve", json={})
        return wait_for_end(occurrence), document(occurrence)

    def get(path: str) -> Any:
        return server.get(path, auth=(LOGIN, SECRET)).json()

    def occurrence_of(job: str) -> str:
        for _ in within(30):
            if items := get(f"jobs/{job}/occurrences?page=1&pagesize=10")["Items"]:
                return str(items[0]["JobID"])
        raise AssertionError("it does not occur")

    def state_of(job: str) -> int:
        return int(get(f"jobs/{job}")["Status"]["Type"])

    def wait_for_end(job: str) -> int:
        for _ in within(60):
            if (state := state_of(job)) not in (State.SCHEDULED, State.ACTIVE, State.ABORTING):
                return state
        raise AssertionError("it does not end")

    def document(job: str) -> str:
        answer = get(f"jobs/{job}/results?overview=true&detailed=true")
        return bytes(answer["Xml"]).decode("utf-16-le")

    return run


def within(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)


def alerts(server: Server) -> list[str]:
    lines = dispatcher("alert", "list", "--json", datastore=server.datastore)
    return [one["kind"] for one in json.loads("".join(lines))]


@needs_sshd
def test_network_configuration_backup(server: Server, device: Sshd, run: Any) -> None:
    def versions() -> list[str]:
        lines = dispatcher("configuration", "list", "sw", "--json", datastore=server.datastore)
        return sorted(one["name"] for one in json.loads("".join(lines)))

    state, result = run(SWITCH, "networkconfigbackup", configParams={"startUpConfigFilesBackUp": "false"})
    assert (state, versions()) == (State.COMPLETED, ["running"])
    assert "sw" in result
    both = {"versionsSaved": "ALL_VERSIONS", "startUpConfigFilesBackUp": "true", "runTimeConfigFilesBackUp": "true"}
    assert run(SWITCH, "networkconfigbackup", configParams=both)[0] == State.COMPLETED
    assert versions() == ["running", "running", "startup"]

    # An alert without a backup is raised all the same.
    (device.place / "running-config").write_text("hostname another\n")
    alert = {"runtimeConfigAlert": "true", "startUpConfigFilesBackUp": "false", "runTimeConfigFilesBackUp": "false"}
    assert run(SWITCH, "networkconfigbackup", configParams=alert)[0] == State.COMPLETED
    assert "configuration.changed" in alerts(server)

    # Nothing that answers, and the job has failed.
    device.stop()
    state, result = run(SWITCH, "networkconfigbackup", configParams=both)
    assert state == State.FAILED
    assert "no connection to 127.0.0.1" in result


def test_application_install(server: Server, tenant: Any, computer: str, run: Any) -> None:
    (category,) = [one for one in tenant.rba().categories().get() if one["name"] == "Built-in"]
    scripts = {one["name"]: one for one in tenant.rba().categories().category(category["id"]).get()}
    numbers = {one["name"]: str(one["id"]) for one in scripts["Application install"]["parameters"]}
    wanted = [{"paramId": numbers["applications"], "value": "vim less"}]
    approval = {"approvalType": "1", "approvalReason": "for testing", "alertRequired": "true"}

    state, result = run(computer, "appinstall", approvalType=approval, parameters=wanted)
    assert state == State.COMPLETED
    assert "Reason: for testing" in result
    assert "DEBIAN_FRONTEND=noninteractive installs vim and less" in result
    assert {"job.started", "job.ended"} <= set(alerts(server))

    # Without an approvalType, as with 0, it waits for somebody.
    state, result = run(computer, "appinstall", approve=True, parameters=wanted)
    assert (state, "installs vim and less" in result) == (State.COMPLETED, True)

    missing = [{"paramId": numbers["applications"], "value": "vim missing"}]
    state, result = run(computer, "appinstall", approvalType=approval, parameters=missing)
    assert (state, "Unable to locate package missing" in result) == (State.FAILED, True)

    state, result = run(computer, "appinstall", approvalType=approval)
    assert (state, "No application is named" in result) == (State.FAILED, True)


def test_ad_checklist(run: Any) -> None:
    with ExitStack() as stack:
        try:
            controller = DomainController(host=AT, ldap_port=PORTS["LDAP"], dns_port=PORTS["DNS"])
            stack.callback(controller.stop)
            for port in set(PORTS.values()) - {PORTS["LDAP"]}:
                stack.enter_context(socket.create_server((AT, port)))
        except OSError as error:
            pytest.skip(f"nothing may listen where domain controllers do: {error}")
        state, result = run(CONTROLLER, "adCheckList")
        assert "ok      domain: ad.example" in result
        assert "ok      record of Kerberos: dc1.ad.example:389" in result
        assert "failed " not in result
        assert state == State.COMPLETED

        controller.said["isSynchronized"] = "FALSE"
        state, result = run(CONTROLLER, "adCheckList")
        assert (state, "failed  synchronised: false" in result) == (State.FAILED, True)


def test_ad_checklist_of_a_computer_that_is_no_controller(run: Any) -> None:
    state, result = run(NOBODY, "adCheckList")
    assert state == State.FAILED
    assert "failed  port 389 (LDAP)" in result


def test_custom_script(tenant: Any, computer: str, run: Any, tmp_path: Path) -> None:
    """With the members, all of them texts, of the page's sample."""
    shelf = tenant.rba().categories().category(tenant.rba().categories().create("Sizes")["id"])
    size = shelf.mkParameter(name="size", description="Any", datatype="STRING", optional=True, default="10")
    script = shelf.create(
        shelf.mkScript(
            name="test script",
            description="test script",
            platforms=["LINUX"],
            execution_type="COMMAND",
            payload='echo "size $1"',
            parameters=[size],
        )
    )
    number = str(script["parameters"][0]["id"])
    chosen = {"userType": "2", "customScript": {"id": str(script["id"])}}
    state, result = run(computer, "custom", **chosen, parameters=[{"paramId": number, "value": "150"}])
    assert (state, "size 150" in result) == (State.COMPLETED, True)
    state, result = run(computer, "custom", **chosen)
    assert (state, "size 10" in result) == (State.COMPLETED, True)


@pytest.fixture
def telling(tenant: Any) -> tuple[str, str]:
    """Return the numbers of a script that tells who runs it by which connection, and of its parameter."""
    name = f"Logins {time.monotonic_ns()}"
    shelf = tenant.rba().categories().category(tenant.rba().categories().create(name)["id"])
    size = shelf.mkParameter(name="size", description="Any", datatype="STRING", optional=True, default="10")
    script = shelf.create(
        shelf.mkScript(
            name="who",
            description="who",
            platforms=["LINUX"],
            execution_type="COMMAND",
            payload='echo "size $1 as $(id -un) by [${SSH_CONNECTION##* }]"',
            parameters=[size],
        )
    )
    return str(script["id"]), str(script["parameters"][0]["id"])


@needs_sshd
def test_custom_script_with_a_credential_set_logs_in(
    box: Sshd, computer: str, telling: tuple[str, str], run: Any
) -> None:
    script, parameter = telling
    given = {
        "userType": "2",
        "customScript": {"id": script},
        "parameters": [{"paramId": parameter, "value": "$(id) 'x'"}],
    }
    state, result = run(computer, "custom", **given, credentialSet={"uniqueId": LOGINS})
    assert f"size $(id) 'x' as {USER} by [{box.port}]" in html.unescape(result)
    assert state == State.COMPLETED
    # The job that names none is done by the agent itself, though its team has a set.
    state, result = run(computer, "custom", **given)
    assert f"size $(id) 'x' as {USER} by []" in html.unescape(result)
    assert state == State.COMPLETED


@needs_sshd
def test_custom_script_for_a_computer_without_an_agent(box: Sshd, telling: tuple[str, str], run: Any) -> None:
    state, result = run(BOX, "custom", userType="2", customScript={"id": telling[0]})
    assert f"size 10 as {USER} by [{box.port}]" in result
    assert state == State.COMPLETED
    # Nothing of it is done on the gateway instead.
    state, result = run(NOBODY, "custom", customScript={"id": telling[0]})
    assert f"no connection to {NOWHERE}" in result
    assert "size 10" not in result
    assert state == State.FAILED


@needs_sshd
def test_set_that_the_job_names_goes_before_that_of_the_computer(box: Sshd, telling: tuple[str, str], run: Any) -> None:
    # The computer's own would lead to a device that has no shell.
    state, result = run(SWITCH, "custom", customScript={"id": telling[0]}, credentialSet={"uniqueId": LOGINS})
    assert f"size 10 as {USER} by [{box.port}]" in result
    assert state == State.COMPLETED


def test_type_that_nothing_is_bound_to(computer: str, run: Any) -> None:
    assert run(computer, "antivirus")[0] == State.FAILED
