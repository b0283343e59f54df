"""Crashes: of slots, of the agent and of the dispatcher. Nothing runs twice, nothing is forgotten."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from dispatcher.agents.protocol import Receipt


def starts_once(file: str) -> str:
    return f"echo start >> {file}; echo $$ > {file}.pid; exec sleep 300"


def test_slot_killed_in_a_task(gateway, agent, an_order, tmp_path, read_number, gone) -> None:
    order = an_order("true", f"setsid sh -c 'echo $$ > {tmp_path}/pid; sleep 300' & sleep 300", "true")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    agent.slots()[0].kill()
    end = gateway.finished(order.run_id)
    assert (end.state, end.reason) == ("failed", "outcome unknown: the slot died while task 1 ran")
    assert [one.state for one in gateway.of(order.run_id, "task_finished")] == ["completed", "failed"]
    gone(pid)
    after = an_order("echo alive")
    gateway.order(after)
    assert gateway.finished(after.run_id).state == "completed"
    assert psutil.Process(agent.process.pid).children() == agent.slots()


def test_slot_killed_while_idle_is_replaced(gateway, agent, an_order) -> None:
    (slot,) = gateway.wait(lambda: gateway.polls and agent.slots())
    slot.kill()
    # A killed process needs its time to go. What it is given meanwhile nobody knows the outcome of.
    slot.wait(timeout=30)
    order = an_order("true")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"


def test_task_that_kills_its_slot_has_an_unknown_outcome(gateway, agent, an_order) -> None:
    order = an_order("kill -9 $PPID; sleep 300")
    gateway.order(order)
    assert gateway.finished(order.run_id).reason == "outcome unknown: the slot died while task 0 ran"


def test_agent_killed_in_a_task(gateway, new_agent, an_order, tmp_path, read_number, gone) -> None:
    agent = new_agent()
    order = an_order(starts_once(f"{tmp_path}/log"), "true")
    gateway.order(order)
    pid = read_number(tmp_path / "log.pid")
    slot = agent.slots()[0].pid
    agent.kill()
    gone(pid)
    gone(slot)
    new_agent()
    end = gateway.finished(order.run_id)
    assert (end.state, end.reason) == ("failed", "outcome unknown: the agent stopped while task 0 ran")
    assert gateway.of(order.run_id, "task_finished")[0].message == end.reason
    assert (tmp_path / "log").read_text() == "start\n"


def test_agent_killed_between_two_attempts_does_not_go_on_with_them(gateway, new_agent, an_order, tmp_path) -> None:
    agent = new_agent()
    retry = {"times": 3, "delay_s": 300, "factor": 1, "max_delay_s": 300}
    order = an_order({"settings": {"command": f"echo tried >> {tmp_path}/log; echo done; exit 1"}, "retry": retry})
    gateway.order(order)
    gateway.wait(lambda: gateway.output(order.run_id))
    agent.kill()
    new_agent()
    assert gateway.finished(order.run_id).reason == "outcome unknown: the agent stopped while task 0 ran"
    assert (tmp_path / "log").read_text() == "tried\n"


def test_run_is_held_until_its_end_is_delivered(gateway, new_agent, an_order, tmp_path, read_number) -> None:
    agent = new_agent()
    order = an_order(starts_once(f"{tmp_path}/log"))
    gateway.order(order)
    read_number(tmp_path / "log.pid")
    agent.kill()
    gateway.takes_reports = False
    polls = len(gateway.polls)
    new_agent()
    gateway.wait(lambda: len(gateway.polls) > polls)
    assert [one.run_id for one in gateway.polls[-1].holding] == [order.run_id]
    assert gateway.polls[-1].free == 2
    gateway.takes_reports = True
    gateway.finished(order.run_id)
    for after in (an_order("sleep 0.2"), an_order("true")):
        gateway.order(after)
        gateway.finished(after.run_id)
    assert order.run_id not in [one.run_id for one in gateway.polls[-1].holding]


def test_next_agent_waits_until_the_slots_of_a_killed_one_are_gone(
    gateway, new_agent, an_order, tmp_path, read_number, gone
) -> None:
    agent = new_agent()
    order = an_order(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    slot = agent.slots()[0]
    slot.suspend()
    agent.kill()
    polls = len(gateway.polls)
    new_agent()
    time.sleep(1)
    assert len(gateway.polls) == polls
    assert psutil.pid_exists(pid)
    slot.resume()
    gateway.wait(lambda: len(gateway.polls) > polls)
    gone(pid)


def test_repeatable_run_is_left_to_the_dispatcher_after_a_crash(
    gateway, new_agent, an_order, tmp_path, read_number
) -> None:
    agent = new_agent()
    order = an_order({"settings": {"command": starts_once(f"{tmp_path}/log")}, "repeatable": True})
    gateway.order(order)
    read_number(tmp_path / "log.pid")
    gateway.wait(lambda: gateway.of(order.run_id, "task_started"))
    agent.kill()
    polls = len(gateway.polls)
    new_agent()
    gateway.wait(lambda: len(gateway.polls) > polls)
    assert gateway.polls[-1].holding == []
    again = order.model_copy(update={"fence": 2})
    again.tasks[0].settings["command"] = "echo again"
    gateway.order(again)
    assert gateway.finished(order.run_id).fence == 2
    assert gateway.finished(order.run_id).state == "completed"


def test_repeatable_run_is_left_to_the_dispatcher_after_two_crashes(
    gateway, new_agent, an_order, tmp_path, read_number
) -> None:
    """What the first agent could not tell anybody the third one does; it does not hold the run by that."""
    agent = new_agent()
    gateway.wait(lambda: gateway.polls)
    gateway.takes_reports = False
    order = an_order({"settings": {"command": starts_once(f"{tmp_path}/log")}, "repeatable": True})
    gateway.order(order)
    read_number(tmp_path / "log.pid")
    for _ in range(2):
        agent.kill()
        polls = len(gateway.polls)
        agent = new_agent()
        gateway.wait(lambda seen=polls: len(gateway.polls) > seen)
        assert gateway.polls[-1].holding == []
    gateway.takes_reports = True
    gateway.wait(lambda: gateway.of(order.run_id, "task_started"))
    assert gateway.holding == []


def test_results_made_while_the_dispatcher_is_away_are_delivered_after_a_restart(
    gateway, new_agent, an_order, tmp_path
) -> None:
    agent = new_agent()
    order = an_order(f"touch {tmp_path}/begun; while ! [ -e {tmp_path}/go ]; do sleep 0.02; done; echo done")
    gateway.order(order)
    gateway.wait(lambda: gateway.of(order.run_id, "task_started"))
    gateway.is_down = True
    (tmp_path / "go").touch()
    deadline = time.monotonic() + 10
    while "run.ended" not in agent.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    agent.kill()
    assert gateway.of(order.run_id, "run_finished") == []
    new_agent()
    gateway.is_down = False
    assert gateway.finished(order.run_id).state == "completed"
    assert gateway.output(order.run_id) == b"done\n"
    kinds = [event.kind for event in gateway.events if event.run_id == order.run_id]
    assert [kind for n, kind in enumerate(kinds) if kind not in kinds[:n]] == [
        "run_started",
        "task_started",
        "output",
        "task_finished",
        "run_finished",
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_clean_stop_aborts_and_reports(gateway, agent, an_order, number) -> None:
    order = an_order("echo begun; sleep 300", "true")
    gateway.order(order)
    gateway.wait(lambda: gateway.of(order.run_id, "output"))
    agent.process.send_signal(number)
    assert agent.process.wait(10) == 0
    end = gateway.finished(order.run_id, 1)
    assert (end.state, end.reason) == ("aborted", "the agent was stopped")


def test_stop_while_the_dispatcher_is_away_is_quick_and_loses_nothing(gateway, new_agent, an_order) -> None:
    agent = new_agent()
    order = an_order("echo begun; sleep 300")
    gateway.order(order)
    gateway.wait(lambda: gateway.of(order.run_id, "output"))
    gateway.is_down = True
    started = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - started < 8
    gateway.is_down = False
    new_agent()
    assert gateway.finished(order.run_id).state == "aborted"


def test_local_agent_ends_with_its_parent(gateway, new_agent, an_order, tmp_path, read_number, gone) -> None:
    agent = new_agent(local="local")
    order = an_order(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    agent.process.stdin.close()
    assert agent.process.wait(10) == 0
    gone(pid)
    assert gateway.finished(order.run_id).reason == "the dispatcher that started this agent ended"


def test_lost_run_is_killed_and_nothing_more_is_said(gateway, agent, an_order, tmp_path, read_number, gone) -> None:
    order = an_order(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    gateway.wait(lambda: gateway.of(order.run_id, "task_started"))
    gateway.lose(order.run_id)
    gone(pid)
    after = an_order("true")
    gateway.order(after)
    gateway.finished(after.run_id)
    assert gateway.of(order.run_id, "task_finished") == []
    assert gateway.holding == [] or [one.run_id for one in gateway.holding] == [after.run_id]


def test_same_order_twice_is_done_once_and_a_new_lease_replaces_the_old(gateway, agent, an_order, tmp_path) -> None:
    order = an_order(f"echo begun >> {tmp_path}/log; sleep 1")
    gateway.order(order, order)
    gateway.finished(order.run_id)
    assert (tmp_path / "log").read_text() == "begun\n"
    old = an_order("sleep 300")
    gateway.order(old)
    gateway.wait(lambda: gateway.of(old.run_id, "task_started"))
    new = old.model_copy(update={"fence": 2})
    new.tasks[0].settings["command"] = "echo new"
    gateway.order(new)
    end = gateway.finished(old.run_id)
    assert (end.fence, end.state) == (2, "completed")


def test_revoked_identity_ends_the_agent(gateway, agent, an_order, tmp_path, read_number, gone) -> None:
    order = an_order(f"echo $$ > {tmp_path}/pid; exec sleep 300")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    gateway.is_revoked = True
    gateway.order(an_order("true"))
    assert agent.process.wait(15) == 4
    gone(pid)
    assert "agent.refused" in agent.log.read_text()


def test_second_dispatcher_takes_over(gateway, new_agent, an_order) -> None:
    new_agent(url=f"http://127.0.0.1:9,{gateway.url}")
    order = an_order("true")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"


def test_agent_that_comes_before_its_dispatcher_waits_for_it(gateway, new_agent, an_order) -> None:
    gateway.is_down = True
    agent = new_agent()
    deadline = time.monotonic() + 10
    while "dispatcher.unavailable" not in agent.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    gateway.is_down = False
    order = an_order("true")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"


def test_agent_and_slot_killed_together(gateway, new_agent, an_order, tmp_path, read_number, gone) -> None:
    agent = new_agent()
    order = an_order("true", f"setsid sh -c 'echo $$ > {tmp_path}/pid; sleep 300; :'")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    slot = agent.slots()[0].pid
    agent.process.send_signal(signal.SIGSTOP)  # so that it cannot deal with the death of its slot
    os.kill(slot, signal.SIGKILL)
    agent.kill()
    assert psutil.pid_exists(pid)
    new_agent()
    assert gateway.finished(order.run_id).reason == "outcome unknown: the agent stopped while task 1 ran"
    gone(pid)


def test_full_disk_lets_nothing_begin_until_there_is_room(gateway, agent, an_order, tmp_path) -> None:
    gateway.wait(lambda: gateway.polls)
    process = psutil.Process(agent.process.pid)
    before = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, before[1]))
    order = an_order(f"echo begun >> {tmp_path}/log")
    gateway.order(order)
    deadline = time.monotonic() + 10
    while "spool.failed" not in agent.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (tmp_path / "log").exists()
    process.rlimit(psutil.RLIMIT_FSIZE, before)
    assert gateway.finished(order.run_id).state == "completed"
    assert (tmp_path / "log").read_text() == "begun\n"


def fill_disk(agent) -> None:
    process = psutil.Process(agent.process.pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (1, process.rlimit(psutil.RLIMIT_FSIZE)[1]))


def test_stop_is_heeded_while_the_disk_is_full(gateway, agent, an_order, tmp_path, read_number, gone) -> None:
    order = an_order(f"echo $$ > {tmp_path}/pid; while :; do echo more; sleep 0.05; done")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    gateway.wait(lambda: gateway.of(order.run_id, "output"))
    fill_disk(agent)
    time.sleep(0.5)
    agent.process.send_signal(signal.SIGTERM)
    gone(pid)
    assert agent.process.wait(18) == 0


def test_abort_is_heeded_while_the_disk_is_full_and_reported_when_there_is_room(
    gateway, agent, an_order, tmp_path, read_number, gone
) -> None:
    order = an_order(f"echo $$ > {tmp_path}/pid; while :; do echo more; sleep 0.05; done")
    gateway.order(order)
    pid = read_number(tmp_path / "pid")
    gateway.wait(lambda: gateway.of(order.run_id, "output"))
    before = psutil.Process(agent.process.pid).rlimit(psutil.RLIMIT_FSIZE)
    fill_disk(agent)
    time.sleep(0.5)
    gateway.abort(order.run_id)
    gone(pid)
    assert gateway.of(order.run_id, "run_finished") == []
    psutil.Process(agent.process.pid).rlimit(psutil.RLIMIT_FSIZE, before)
    assert gateway.finished(order.run_id).state == "aborted"


def test_slot_that_dies_while_the_disk_is_full_is_reported_when_there_is_room(
    gateway, agent, an_order, tmp_path, read_number
) -> None:
    order = an_order(f"echo $$ > {tmp_path}/pid; while :; do echo more; sleep 0.05; done")
    gateway.order(order)
    read_number(tmp_path / "pid")
    gateway.wait(lambda: gateway.of(order.run_id, "output"))
    before = psutil.Process(agent.process.pid).rlimit(psutil.RLIMIT_FSIZE)
    fill_disk(agent)
    time.sleep(0.3)
    agent.slots()[0].kill()
    time.sleep(0.3)
    psutil.Process(agent.process.pid).rlimit(psutil.RLIMIT_FSIZE, before)
    assert gateway.finished(order.run_id).reason == "outcome unknown: the slot died while task 0 ran"


def test_late_news_of_a_lost_lease_leaves_the_new_one_alone(gateway, agent, an_order, monkeypatch) -> None:
    old = an_order("sleep 300")
    new = old.model_copy(update={"fence": 2}, deep=True)
    new.tasks[0].settings["command"] = "sleep 1; echo new"
    usual = gateway._report

    def report(message):
        receipt = usual(message)
        if (old.run_id, 1) not in [(one.run_id, one.fence) for one in message.holding] or new in given:
            return receipt
        given.append(new)
        gateway.orders.append(new)
        gateway.changed.notify_all()
        gateway.changed.wait_for(lambda: 2 in [one.fence for one in gateway.polls[-1].holding], 10)
        return Receipt(lost=[old.run_id])

    given = []
    monkeypatch.setattr(gateway, "_report", report)
    gateway.order(old)
    end = gateway.finished(old.run_id)
    assert (end.fence, end.state) == (2, "completed")
    assert gateway.output(old.run_id) == b"new\n"
