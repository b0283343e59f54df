"""Delivery: an event that the dispatcher cannot take neither blocks the others nor keeps its run from ending."""

from __future__ import annotations

import json
import time

import pytest

from dispatcher.agents.protocol import PATH, Value
from dispatcher.agents.substitutes import NOTE

LEVEL = Value(name="Level", value="", is_output=True)
REFUSAL = b'{"error":"request.bad","message":"no"}'


@pytest.fixture
def picky(gateway, monkeypatch):
    """Makes the gateway answer 400 to every report with an event that *is_bad*."""
    usual = gateway.answer

    def pick(is_bad) -> None:
        def answer(path, authorization, body):
            is_report = path == f"{PATH}/report"
            if is_report and any(is_bad(event) for event in json.loads(body)["events"]):
                return 400, REFUSAL
            return usual(path, authorization, body)

        monkeypatch.setattr(gateway, "answer", answer)

    return pick


def test_end_of_a_task_that_is_refused_is_told_without_its_details(gateway, agent, an_order, picky) -> None:
    picky(lambda event: event.get("outputs"))
    order = an_order("echo Level=1 > $DISPATCHER_OUTPUT; echo done", "echo two", values=(LEVEL,), scopes=[None])
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    first, second = gateway.of(order.run_id, "task_finished")
    assert (first.state, first.outputs, first.message) == ("completed", {}, NOTE)
    end = gateway.finished(order.run_id)
    assert (end.outputs, end.reason) == ([], NOTE)
    assert second.message == ""
    assert [gateway.output(order.run_id, position) for position in (0, 1)] == [b"done\n", b"two\n"]
    assert "event.rejected" in agent.log.read_text()


def test_output_that_is_refused_is_dropped(gateway, agent, an_order, picky) -> None:
    picky(lambda event: event["kind"] == "output")
    order = an_order("echo one")
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    assert gateway.of(order.run_id, "output") == []


def test_end_that_is_refused_in_any_form_does_not_block_the_next_run(gateway, agent, an_order, picky) -> None:
    order, after = an_order("true"), an_order("true")
    picky(lambda event: event["kind"] == "run_finished" and event["run_id"] == str(order.run_id))
    gateway.order(order)
    gateway.wait(lambda: gateway.of(order.run_id, "task_finished"))
    gateway.order(after)
    assert gateway.finished(after.run_id).state == "completed"
    assert "event.dropped" in agent.log.read_text()


@pytest.mark.parametrize("status", [400, 500])
def test_dispatcher_that_refuses_everything_loses_nothing(gateway, agent, an_order, monkeypatch, status) -> None:
    usual = gateway.answer
    answers = []

    def answer(path, authorization, body):
        if path == f"{PATH}/report" and len(answers) < 10:
            answers.append(status)
            return status, REFUSAL
        return usual(path, authorization, body)

    monkeypatch.setattr(gateway, "answer", answer)
    order = an_order("echo Level=1 > $DISPATCHER_OUTPUT; echo kept", values=(LEVEL,))
    started = time.monotonic()
    gateway.order(order)
    assert gateway.finished(order.run_id, 30).state == "completed"
    assert time.monotonic() - started > 0.1
    assert gateway.output(order.run_id) == b"kept\n"
    assert gateway.of(order.run_id, "task_finished")[0].outputs == {"Level": "1"}


def test_leases_are_kept_as_short_as_the_dispatcher_says(gateway, agent, an_order) -> None:
    gateway.lease_s = 0.6
    order = an_order("sleep 2")
    began = time.monotonic()
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "completed"
    took = time.monotonic() - began
    heartbeats = [report for report in gateway.reports if not report.events and report.holding]
    assert 5 <= len(heartbeats) <= took / (gateway.lease_s / 3) + 2
