"""Slots: what becomes of tasks, seen from the dispatcher."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from dispatcher.agents.protocol import Value
from dispatcher.core.parameters import ParameterType

PASSWORD, CREDENTIALS = ParameterType.PASSWORD, ParameterType.CREDENTIALS


@pytest.fixture
def gateway(shared_gateway):
    return shared_gateway


@pytest.fixture
def agent(shared_agent):
    return shared_agent


def task(command: str, **more) -> dict:
    settings = {"command": command, **more.pop("settings", {})}
    return {"settings": settings, **more}


def ends(gateway, order) -> tuple[str, list[str]]:
    end = gateway.finished(order.run_id)
    return end.state, [event.state for event in gateway.of(order.run_id, "task_finished")]


@pytest.mark.parametrize(
    ("tasks", "modules", "state", "states"),
    [
        ([task("exit 3"), task("true")], 1, "failed", ["failed", "skipped"]),
        ([task("exit 3"), task("true")], 2, "stopped", ["failed", "skipped"]),
        ([task("true"), task("exit 3")], 2, "failed", ["completed", "failed"]),
        ([task("exit 3", on_error="continue"), task("true")], 1, "completed_with_errors", ["failed", "completed"]),
        ([task("sleep 60", timeout_s=0.1), task("true")], 1, "timed_out", ["timed_out", "skipped"]),
        ([task("exit 7", settings={"success_codes": [0, 7]})], 1, "completed", ["completed"]),
        ([], 1, "completed", []),
    ],
)
def test_outcome_of_a_run(gateway, agent, an_order, tasks, modules, state, states) -> None:
    order = an_order(*tasks, modules=modules)
    gateway.order(order)
    assert ends(gateway, order) == (state, states)


def test_endings_say_why(gateway, agent, an_order) -> None:
    order = an_order(
        task("exit 3"),
        task("kill -9 $$"),
        task("true", settings={"directory": "/does/not/exist"}),
        {"type": "nonsense", "settings": {}},
        task("true", settings={"colour": "red"}),
        task("echo $[Missing]"),
        task("echo '$[Line]'"),
        {"type": "script", "settings": {"language": "powershell", "text": "1"}},
        values=(Value(name="Line", value="x"),),
    )
    for one in order.tasks:
        one.on_error = "continue"
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "failed"
    endings = gateway.of(order.run_id, "task_finished")
    assert [(one.state, one.exit_code) for one in endings[:2]] == [("failed", 3), ("failed", 137)]
    said = [one.message for one in endings]
    expected = ["exit code 3", "ended by SIGKILL", "/does/not/exist", "no task type 'nonsense'", "settings.colour"]
    expected += ["$[Missing]", "single quotes", "powershell is not installed"]
    assert [wanted in message for wanted, message in zip(expected, said, strict=True)] == [True] * 8, said


def test_value_that_no_process_can_be_given_fails_the_task(gateway, agent, an_order) -> None:
    order = an_order("true", values=(Value(name="Large", value="y" * 200_000),))
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "failed"
    assert "Argument list too long" in gateway.of(order.run_id, "task_finished")[0].message


def test_process_sees_only_what_it_should(gateway, agent, an_order) -> None:
    order = an_order(
        task("env", settings={"environment": {"MINE": "a$[Line]b", "PARAM_Line": "no"}}),
        values=(Value(name="Line", value="x"), Value(name="User", value="me", password="pw", type=CREDENTIALS)),
    )
    gateway.order(order)
    gateway.finished(order.run_id)
    lines = gateway.output(order.run_id).decode().splitlines()
    assert {"MINE=axb", "PARAM_Line=x", "PARAM_User=me", "FACT_site=north", "FACT_os=linux"} <= set(lines)
    assert not [line for line in lines if "ENROL" in line]


def test_output_parameters_reach_later_tasks_and_the_dispatcher(gateway, agent, an_order) -> None:
    order = an_order(
        'echo "Level=high=er" >> "$DISPATCHER_OUTPUT"; echo Other=1 >> "$DISPATCHER_OUTPUT"',
        "echo $[Level]",
        "echo nonsense >> $DISPATCHER_OUTPUT",
        values=(Value(name="Level", value="low"),),
    )
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "failed"
    first, _, third = gateway.of(order.run_id, "task_finished")
    assert first.outputs == {"Level": "high=er"}
    assert first.message == "ignored output parameters that are not declared: Other"
    assert gateway.output(order.run_id, 1) == b"high=er\n"
    assert "line 1 is neither Name=value nor Name<<MARK" in third.message


def test_secrets_show_nowhere(gateway, agent, an_order, tmp_path: Path) -> None:
    secret = "top secret"
    order = an_order(
        "printf 'top '; sleep 0.2; echo secret; echo $[Word] $[User] $PARAM_User_PASSWORD; ps -ef",
        task("true", settings={"directory": "/$[Word]"}),
        values=(
            Value(name="Word", value=secret, type=PASSWORD),
            Value(name="User", value="me", password="pass word", type=CREDENTIALS),
        ),
    )
    gateway.order(order)
    gateway.finished(order.run_id)
    output = gateway.output(order.run_id)
    assert output.startswith(b"********\n******** me ********\n")
    assert b"/********" in gateway.of(order.run_id, "task_finished")[1].message.encode()
    everything = repr(gateway.events) + agent.log.read_text() + (agent.home / "spool.log").read_text()
    assert secret not in everything
    assert "pass word" not in everything


def test_output_is_bytes_whatever_they_are(gateway, agent, an_order) -> None:
    order = an_order("printf '\\377\\376\\000a'", "exec >&- 2>&-; sleep 0.1")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    assert gateway.output(order.run_id) == b"\xff\xfe\0a"


def test_much_output_arrives_whole_and_needs_no_memory(gateway, agent, an_order) -> None:
    order = an_order("head -c 20000000 /dev/zero | tr '\\0' x")
    small = an_order("true")
    gateway.order(small)
    gateway.finished(small.run_id)
    processes = [psutil.Process(agent.process.pid), *agent.slots()]
    before = [process.memory_info().rss for process in processes]
    gateway.order(order)
    gateway.finished(order.run_id)
    after = [process.memory_info().rss for process in processes]
    assert gateway.output(order.run_id) == b"x" * 20_000_000
    assert max(now - then for now, then in zip(after, before, strict=True)) < 10_000_000
    assert (agent.home / "spool.log").stat().st_size < 20_000_000


def test_timeout_kills_what_ignores_being_asked(gateway, agent, an_order) -> None:
    order = an_order(task("trap '' TERM; echo ready; while :; do sleep 1; done", timeout_s=0.5))
    gateway.order(order)
    started = time.monotonic()
    assert ends(gateway, order) == ("timed_out", ["timed_out"])
    assert 2 < time.monotonic() - started < 8
    ending = gateway.of(order.run_id, "task_finished")[0]
    assert ending.message == "not done after 0.5 s"
    assert {name.split()[1] for name in ending.killed} >= {"sh"}


def test_background_process_neither_delays_a_task_nor_survives_it(gateway, agent, an_order, read_number, gone) -> None:
    order = an_order("sleep 300 & echo $! > pid; sleep 0.1; echo done", "echo next")
    gateway.order(order)
    assert ends(gateway, order) == ("completed", ["completed", "completed"])
    ending = gateway.of(order.run_id, "task_finished")[0]
    assert ending.message == "left 1 process in the background: killed"
    assert ending.killed == [f"{read_number(agent.home / 'work' / 'pid')} sleep"]
    gone(read_number(agent.home / "work" / "pid"))
    assert gateway.output(order.run_id, 0) == b"done\n"


DAEMON = """
import os, sys, time
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    sys.exit()
os.chdir('/')
if 'emptied' not in sys.argv:
    os.execve(sys.executable, [sys.executable, __file__, 'emptied'], {})
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(os.path.join(os.path.dirname(__file__), 'pid'), 'w').write(f'{os.getpid()}\\n')
time.sleep(300)
"""


@pytest.mark.parametrize(
    "command",
    [
        "echo $$ > $[Dir]/pid; exec sleep 300",
        "setsid nohup sh -c 'echo $$ > $0/pid; trap : TERM HUP; sleep 300; sleep 300' $[Dir] >/dev/null & sleep 300",
        "python3 $[Dir]/daemon.py; sleep 300",
        "(sh -c 'echo $$ > $0/pid; kill -STOP $$' $[Dir] &) ; sleep 300",
    ],
)
def test_abort_leaves_nothing_alive(gateway, agent, an_order, tmp_path, read_number, gone, command) -> None:
    (tmp_path / "daemon.py").write_text(DAEMON)
    order = an_order(command, "true", values=(Value(name="Dir", value=str(tmp_path)),))
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    gateway.abort(order.run_id)
    assert gateway.finished(order.run_id).state == "aborted"
    first, second = gateway.of(order.run_id, "task_finished")
    assert (first.state, second.state) == ("aborted", "skipped")
    assert str(pid) in {name.split()[0] for name in first.killed}
    gone(pid)
    assert [slot.children(recursive=True) for slot in agent.slots() if slot.children()] == []


def test_abort_stops_a_fork_bomb(gateway, agent, an_order, tmp_path) -> None:
    bomb = "i=0; f() { i=$((i+1)); touch started; [ $i -lt 40 ] && { f & f & }; sleep 300; }; trap '' TERM; f"
    order = an_order(f"ulimit -u 400; {bomb}".replace("-lt 40", "-lt 5"))
    gateway.order(order)
    gateway.wait(lambda: gateway.of(order.run_id, "task_started"))
    time.sleep(0.5)
    gateway.abort(order.run_id)
    assert gateway.finished(order.run_id, 30).state == "aborted"
    assert len(gateway.of(order.run_id, "task_finished")[0].killed) > 20
    assert [slot.children(recursive=True) for slot in agent.slots() if slot.children()] == []


def test_two_runs_go_side_by_side_and_a_third_waits_on_the_server(gateway, agent, an_order) -> None:
    long = [an_order("sleep 300"), an_order("sleep 300")]
    gateway.order(*long)
    for order in long:
        gateway.wait(lambda order=order: gateway.of(order.run_id, "task_started"))
    third = an_order("echo third")
    gateway.order(third)
    time.sleep(1)
    assert gateway.orders == [third]
    gateway.abort(long[0].run_id)
    gateway.finished(long[0].run_id)
    assert gateway.finished(third.run_id).state == "completed"
    gateway.abort(long[1].run_id)
    gateway.finished(long[1].run_id)
