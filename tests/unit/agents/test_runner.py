"""The agent as a whole: real processes, a real socket."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from dispatcher.agents.protocol import Value


def test_enrols_once_and_keeps_its_identity_to_itself(gateway, new_agent) -> None:
    first = new_agent()
    gateway.wait(lambda: gateway.polls)
    assert first.stop() == 0
    second = new_agent()
    gateway.wait(lambda: len(gateway.polls) > 1)
    assert second.stop() == 0
    assert len(gateway.enrolments) == 1
    assert gateway.enrolments[0].facts.os == "linux"
    assert gateway.enrolments[0].facts.macs is not None
    file = first.home / "identity.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["secret"] == gateway.secret
    assert gateway.secret not in first.log.read_text()


def test_first_poll_of_a_process_brings_the_facts(gateway, agent, an_order) -> None:
    gateway.wait(lambda: gateway.polls)
    order = an_order("true")
    gateway.order(order)
    gateway.finished(order.run_id)
    gateway.wait(lambda: len(gateway.polls) > 1)
    assert gateway.polls[0].facts.extra == {"site": "north"}
    assert gateway.polls[0].free == 2
    assert gateway.polls[1].facts is None


def test_does_the_tasks_in_order_and_reports_each(gateway, agent, an_order, tmp_path: Path) -> None:
    order = an_order(
        "echo one; echo two >&2; echo three",
        {
            "type": "script",
            "settings": {"language": "python", "text": "import os; print(os.environ['PARAM_My_0x20_name'])"},
        },
        'printf %s "$[My name]" "@[site]" ^[Site]; pwd',
        values=(Value(name="My name", value="a  $(b)\n'"),),
        variables={"Site": "x y"},
    )
    gateway.order(order)
    end = gateway.finished(order.run_id)
    assert (end.state, end.reason) == ("completed", "")
    assert gateway.output(order.run_id, 0) == b"one\ntwo\nthree\n"
    assert gateway.output(order.run_id, 1) == b"a  $(b)\n'\n"
    assert gateway.output(order.run_id, 2) == f"a  $(b)\n'northx y{agent.home}/work\n".encode()
    kinds = [event.kind for event in gateway.events if event.kind != "output"]
    assert kinds == ["run_started", *["task_started", "task_finished"] * 3, "run_finished"]
    assert [event.exit_code for event in gateway.of(order.run_id, "task_finished")] == [0, 0, 0]
    gateway.wait(lambda: not list(agent.home.joinpath("scratch").glob("*/*")))


def test_powershell_gets_a_file_with_its_mark(gateway, new_agent, an_order, tmp_path, monkeypatch) -> None:
    fake = tmp_path / "bin" / "pwsh"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\nfor last; do :; done\nstat -c %a "$last"; od -An -tx1 -N3 "$last"; tail -c +4 "$last"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    new_agent()
    order = an_order({"type": "script", "settings": {"language": "powershell", "text": "Write-Host $[no]"}})
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    assert gateway.output(order.run_id).decode().split("\n") == ["600", " ef bb bf", "Write-Host $[no]"]


def test_slots_do_not_inherit_what_the_agent_was_given(gateway, agent) -> None:
    (slot,) = gateway.wait(agent.slots)
    assert "PATH" in slot.environ()
    assert [name for name in slot.environ() if name.startswith("DISPATCHER_")] == []


def test_local_agent_that_is_given_a_token_enrols_anew(gateway, new_agent) -> None:
    first = new_agent()
    gateway.wait(lambda: gateway.polls)
    assert first.stop() == 0
    gateway.secret = "of another datastore"
    new_agent(local="local")
    gateway.wait(lambda: len(gateway.polls) > 1)
    assert len(gateway.enrolments) == 2
    assert json.loads((first.home / "identity.json").read_text())["secret"] == gateway.secret
