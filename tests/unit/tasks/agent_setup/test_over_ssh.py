"""Agents on other computers, over OpenSSH's own server: installed, kept, replaced, removed; who may not log in."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from real_server import Server
from setup_world import JOB, TEAM, Setup, Target, wait_until
from ssh_servers import USER, PasswordServer, needs_sshd

from dispatcher.agents import identity
from dispatcher.core.computers import AgentChange, FoundComputer, proof
from dispatcher.tasks.agent_setup import bundle
from dispatcher.tasks.work import TaskFailed

pytestmark = needs_sshd
COMPLETED = 4


def secrets_of(admin: Setup) -> tuple[str, str]:
    return admin.token, admin.password.splitlines()[2]


def require_no_secrets(directory: Path, admin: Setup) -> None:
    """Check that no file in *directory* holds a secret, and nobody else can read the identity in it."""
    for file in directory.rglob("*"):
        text = file.read_bytes() if file.is_file() else b""
        assert not any(secret.encode() in text for secret in secrets_of(admin)), file
    modes = {one.stat().st_mode & 0o077 for one in (directory, directory / "home" / "identity.json")}
    assert modes == {0}


def write_wheel(folder: Path, of: metadata.Distribution) -> None:
    """Make a wheel in *folder* again of what was installed by one."""
    tag = re.findall(r"^Tag: (\S+)$", of.read_text("WHEEL") or "", re.MULTILINE)[-1]
    name = f"{re.sub('[-_.]+', '_', of.metadata['Name'])}-{of.version}-{tag}.whl"
    with ZipFile(folder / name, "w") as wheel:
        for file in of.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                wheel.write(str(file.locate()), file.as_posix())


def answers(server: Server, agent_id: str | UUID | None) -> bool:
    found = server.get("who?agents=True&teams=False&online=True").json()
    return str(agent_id).upper() in {str(who["ID"]).strip("{}").upper() for who in found}


def test_an_agent_is_installed_kept_replaced_and_removed(
    server: Server, target: Target, admin: Setup, capsys: Any, command_lines: set[bytes]
) -> None:
    admin.install(modules=["AV", "PR"])
    (first,) = admin.told
    known = identity.load(target.directory / "home")
    assert known is not None
    assert (first.change, first.agent_id, first.gone_agent_id) == (AgentChange.INSTALLED, known.agent_id, None)
    assert first.agent_proof == proof(sha256(known.secret.encode()).digest())
    # The team finds it by its facts, and nobody else.
    job = server.schedule(JOB, [], Who=[{"ID": TEAM, "Type": 1}])
    assert server.wait_for_end(job) == COMPLETED, (target.directory / "agent.log").read_text()
    require_no_secrets(target.directory, admin)

    (agent,) = target.agents()
    assert admin.install() == "1 computer: 1 Already installed"
    kept = (AgentChange.KEPT, known.agent_id, first.agent_proof, "")
    assert [(one.change, one.agent_id, one.agent_proof, one.gone_agent_proof) for one in admin.told] == [kept]
    assert agent in target.agents()

    # A computer may be found by several names.
    admin.computers = (*admin.computers, FoundComputer(name="localhost"))
    assert admin.install(overwrite=True) == "2 computers: 1 Already installed, 1 Replaced"
    second = next(one for one in admin.told if one.change is AgentChange.REPLACED)
    assert (second.gone_agent_id, second.gone_agent_proof) == (known.agent_id, first.agent_proof)
    assert second.agent_id not in (None, known.agent_id)
    assert agent not in target.agents()
    wait_until(lambda: answers(server, second.agent_id), "the new agent does not call")

    assert admin.uninstall() == "2 computers: 1 No agent, 1 Uninstalled"
    removed = (AgentChange.REMOVED, second.agent_id, second.agent_proof, None, "")
    assert [
        (one.change, one.gone_agent_id, one.gone_agent_proof, one.agent_id, one.agent_proof) for one in admin.told
    ] == [removed]
    assert (target.processes(), target.files()) == ([], [])
    said = capsys.readouterr().out
    for secret in secrets_of(admin):
        assert not any(secret.encode() in seen for seen in command_lines)
        assert secret not in said


def test_what_fails_leaves_all_as_it_was(admin: Setup, target: Target, capsys: Any) -> None:
    admin.install()
    (told,) = admin.told
    before, token = target.agents(), admin.token
    admin.workshop.agent_id = told.agent_id
    for do in (lambda: admin.install(overwrite=True), admin.uninstall):
        with pytest.raises(TaskFailed, match="1 Failed"):
            do()
    assert capsys.readouterr().out.count("it is the agent that does this task") == 2
    admin.workshop.agent_id, admin.token = None, "no-such-token"
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install(overwrite=True)
    assert "it cannot enrol" in capsys.readouterr().out
    assert (target.agents(), target.files()) == (before, ["agent"])

    # A removal that was cut off is finished the next time, and what is left of an agent is none.
    (target.directory / "agent.json").write_text(json.dumps({"agent_id": str(told.agent_id), "is_going": True}))
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install()
    assert admin.uninstall() == "1 computer: 1 Uninstalled"
    assert admin.told[0].gone_agent_id == told.agent_id
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install()
    assert (target.processes(), target.files()) == ([], [])
    assert token not in capsys.readouterr().out


@pytest.mark.parametrize("has_wheels", [True, False])
def test_without_libraries_that_fit_pip_is_asked(
    admin: Setup, target: Target, capsys: Any, monkeypatch: pytest.MonkeyPatch, has_wheels: bool
) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: f".{uuid4()}" if name == "EXT_SUFFIX" else None)
    if has_wheels:
        target.wheels.mkdir()
        for one in bundle.distributions(bundle.NEEDED):
            write_wheel(target.wheels, one)
        admin.install()
        assert "; libraries by pip" in capsys.readouterr().out
        assert len(target.agents()) == 1
        return
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install()
    assert "pip cannot install what the agent needs" in capsys.readouterr().out
    assert (target.processes(), target.files()) == ([], [])


def test_who_may_not_log_in_is_denied(admin: Setup, target: Target, capsys: Any) -> None:
    with pytest.raises(TaskFailed, match=r"^1 of 1 computers failed \(1 Access Denied\)$"):
        admin.install(username="")
    admin.password = "wrong"
    with pytest.raises(TaskFailed, match="1 Access Denied"):
        admin.install()
    admin.password = ""
    with pytest.raises(TaskFailed, match="1 Access Denied"):
        admin.uninstall()
    assert (admin.told, target.files()) == ([], [])
    assert capsys.readouterr().out.count("127.0.0.1\tAccess Denied\t") == 3


def test_a_wrong_password_is_denied(admin: Setup, capsys: Any) -> None:
    device = PasswordServer("right", lambda _: b"% Invalid input\n")
    try:
        admin.port, admin.password = device.port, "wrong"
        with pytest.raises(TaskFailed, match="1 Access Denied"):
            admin.install()
        assert device.seen == [(USER, "wrong")]
        # A computer that lets in, and has no shell, has failed for another reason.
        admin.port, admin.password = device.port, "right"
        with pytest.raises(TaskFailed, match="1 Failed"):
            admin.install()
    finally:
        device.stop()
    assert "no answer came: % Invalid input" in capsys.readouterr().out


def test_what_the_policy_does_not_allow_is_not_called_and_no_failure(admin: Setup, capsys: Any) -> None:
    admin.workshop.allowed = ["10.0.0.0/8"]
    assert admin.install() == "1 computer: 1 Refused by policy"
    assert capsys.readouterr().out.startswith("127.0.0.1\tRefused by policy\t")


def test_a_computer_where_nothing_answers_has_failed(admin: Setup, capsys: Any, closed_port: int) -> None:
    admin.port = closed_port
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install()
    assert "neither SSH" in capsys.readouterr().out


def test_what_is_there_and_is_no_agent_is_left_alone(admin: Setup, target: Target, capsys: Any) -> None:
    target.directory.mkdir(parents=True)
    (target.directory / "letter").write_text("mine")
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install(overwrite=True)
    assert admin.uninstall() == "1 computer: 1 No agent"
    assert (target.directory / "letter").read_text() == "mine"
    assert capsys.readouterr().out.count("holds no agent that was installed so") == 2
    # Nor is it touched beside an agent.
    beside = target.directory.with_name("agent.old")
    target.directory.rename(beside)
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install()
    assert admin.uninstall() == "1 computer: 1 No agent"
    assert (beside / "letter").read_text() == "mine"
    assert target.files() == ["agent.old"]
