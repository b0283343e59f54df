"""Hold time: for how long work goes on while no dispatcher answers."""

from __future__ import annotations

import time

HOLD_S = 2.0


def test_after_the_hold_time_work_is_ended_and_that_is_reported_later(
    gateway, new_agent, an_order, gone, read_number, tmp_path
) -> None:
    gateway.lease_s = 0.6  # so the agent reports every 0.2 s
    agent = new_agent(slots=1, hold_s=HOLD_S)
    pid_file = tmp_path / "pid"
    running, waiting = an_order(f"echo $$ > {pid_file}; sleep 60"), an_order("echo never")
    gateway.order(running)
    pid = read_number(pid_file)
    gateway.is_down = True
    down_at = time.monotonic()
    gone(pid)
    assert HOLD_S <= time.monotonic() - down_at < HOLD_S + 5
    assert agent.process.poll() is None

    gateway.is_down = False
    end = gateway.finished(running.run_id, 30)
    assert (end.state, end.reason) == ("aborted", "no dispatcher for 2 s")
    # It works as before then, and the next absence has a hold time of its own.
    gateway.order(waiting)
    assert gateway.finished(waiting.run_id, 30).state == "completed"


def test_a_shorter_absence_harms_nothing(gateway, new_agent, an_order, read_number, tmp_path) -> None:
    gateway.lease_s = 0.6
    new_agent(hold_s=HOLD_S)
    pid_file = tmp_path / "pid"
    order = an_order(f"echo $$ > {pid_file}; sleep 6")
    gateway.order(order)
    read_number(pid_file)
    for _ in range(2):
        gateway.is_down = True
        time.sleep(HOLD_S * 0.6)
        gateway.is_down = False
        time.sleep(0.8)
    assert gateway.finished(order.run_id, 30).state == "completed"
