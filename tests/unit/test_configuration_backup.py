"""The backup of configurations as a whole: a real server and its agent, and a device that is OpenSSH's own server."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_server import Server, dispatcher, serving
from ssh_servers import USER, Sshd, needs_sshd

from dispatcher.core.states import State

pytestmark = needs_sshd
MODULE = "3b6f0a52-7d0c-4f0e-9a63-5c1f6b2e8d01"
SWITCH = "709824de-8315-4cf9-ad1c-b15aaf7bf2a5"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path / "device", device=True)
    for name in ("startup-config", "running-config"):
        (server.place / name).write_text(f"! Last configuration change at 1\nhostname sw\n! {name}\n")
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path, device: Sshd) -> Iterator[Server]:
    key = "".join(f"      {line}\n" for line in device.private_key.splitlines())
    library = (
        "teams: [{name: Client}]\n"
        f"agents: [{{name: sw, id: {SWITCH}, address: 127.0.0.1, primary_team: Client}}]\n"
        f"credential_sets:\n  - name: Switches\n    user: {USER}\n    port: {device.port}\n"
        f"    teams: [Client]\n    private_key: |\n{key}"
    )
    with serving(tmp_path, library=library, logins={}) as started:
        (worker,) = started.wait_for_agents(1)
        gateway = tmp_path / "gateway.yaml"
        gateway.write_text(f"agents: [{{name: sw, gateway: '{worker}'}}]\n")
        dispatcher("library", "import", str(gateway), datastore=started.datastore)
        yield started


def back_up(server: Server, **parameters: str) -> tuple[int, str]:
    values = [{"Name": name, "Value1": value} for name, value in parameters.items()]
    job = server.schedule(MODULE, [SWITCH], Parameters=[{"JobParameters": values}])
    return server.wait_for_end(job), job


def results(server: Server, job: str) -> str:
    answer = server.get(f"jobs/{job}/results?overview=true&detailed=true").json()
    return bytes(answer["Xml"]).decode("utf-16-le")


def versions(server: Server) -> list[Any]:
    return list(json.loads("".join(dispatcher("configuration", "list", "sw", "--json", datastore=server.datastore))))


def alerts(server: Server) -> list[Any]:
    return list(json.loads("".join(dispatcher("alert", "list", "--json", datastore=server.datastore))))


def test_versions_are_kept_and_changes_raise_alerts(server: Server, device: Sshd, tmp_path: Path) -> None:
    assert back_up(server)[0] == State.COMPLETED
    assert sorted(one["name"] for one in versions(server)) == ["running", "startup"]
    assert alerts(server) == []

    # What the device writes by itself makes no version, and raises no alert.
    wanted = {"runtimeConfigAlert": "true", "startupConfigAlert": "true"}
    (device.place / "running-config").write_text("! Last configuration change at 2\nhostname sw\n! running-config\n")
    assert back_up(server, **wanted)[0] == State.COMPLETED
    assert len(versions(server)) == 2

    # Of all versions the same one is kept, too; only the running configuration is asked for.
    both = {**wanted, "versionsSaved": "ALL_VERSIONS", "startUpConfigFilesBackUp": "false"}
    assert back_up(server, **both)[0] == State.COMPLETED
    assert [one["name"] for one in versions(server)].count("running") == 2
    assert alerts(server) == []

    (device.place / "running-config").write_text("hostname other\n")
    state, job = back_up(server, **wanted)
    assert state == State.COMPLETED
    (alert,) = alerts(server)
    assert (alert["kind"], alert["agent"], alert["job"]) == ("configuration.changed", "sw", job.strip("{}").lower())
    assert alert["message"].startswith("the running configuration of sw has changed: 1 lines are new")

    newest = next(one for one in versions(server) if one["name"] == "running")
    shown = dispatcher("configuration", "show", newest["id"], datastore=server.datastore)
    assert shown == ["hostname other"]
    difference = dispatcher("configuration", "diff", "sw", "running", datastore=server.datastore)
    assert "+hostname other" in difference
    assert "-hostname sw" in difference

    result = results(server, job)
    assert "15 bytes, SHA-256" in result
    seen = result + "".join(server.process.lines)
    home = b"".join(file.read_bytes() for file in tmp_path.glob("server.db*") if file.is_file())
    for secret in (device.private_key.splitlines()[2], "hostname other"):
        assert secret not in seen
        assert secret.encode() not in home


def test_a_version_is_what_the_device_has_to_the_byte(server: Server, device: Sshd, tmp_path: Path) -> None:
    # With a line of the account's own key in it, which no output shows, and more than one part.
    secret = device.private_key.splitlines()[2]
    text = f"hostname sw\r\nkey {secret}\r\n".encode() + b"! \xff\x00 more\n" * 60_000
    (device.place / "running-config").write_bytes(text)
    assert back_up(server, startUpConfigFilesBackUp="false")[0] == State.COMPLETED
    (version,) = versions(server)
    assert (version["size"], version["sha256"]) == (len(text), hashlib.sha256(text).hexdigest())
    command = [sys.executable, "-m", "dispatcher", "--datastore", server.datastore, "configuration", "show"]
    assert subprocess.run([*command, version["id"]], check=True, capture_output=True, timeout=60).stdout == text
    with sqlite3.connect(server.datastore.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT COUNT(*) FROM configuration_part").fetchone()[0] > 1
        assert database.execute("SELECT COUNT(*) FROM fetched_part").fetchone() == (0,)
        assert database.execute("SELECT COUNT(*) FROM output_chunk").fetchone() == (0,)


def test_a_device_that_does_not_answer_fails_the_job_and_keeps_nothing(server: Server, device: Sshd) -> None:
    device.stop()
    state, job = back_up(server)
    assert state == State.FAILED
    assert versions(server) == []
    assert "no connection to 127.0.0.1" in results(server, job)
    with sqlite3.connect(server.datastore.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT COUNT(*) FROM configuration").fetchone() == (0,)
