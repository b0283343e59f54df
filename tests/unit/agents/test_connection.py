"""The connection: what counts as no answer, as a refusal and as given up."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest

from dispatcher.agents.connection import Backoff, Connection, Interrupted, Refused
from dispatcher.agents.protocol import Enrol, Poll, Report, dump
from dispatcher.core.errors import Unavailable


def connected(gateway, *before: str) -> Connection:
    connection = Connection([*before, gateway.url])
    connection.identify(gateway.agent_id, gateway.secret)
    return connection


def test_first_dispatcher_that_answers_is_kept(gateway) -> None:
    connection = connected(gateway, "http://127.0.0.1:9")
    for _ in range(2):
        connection.report(dump(Report()))
    assert len(gateway.reports) == 2


def test_no_answer_from_any(gateway) -> None:
    gateway.is_down = True
    with pytest.raises(Unavailable, match="503"):
        connected(gateway).report(dump(Report()))
    with pytest.raises(Unavailable, match="refused"):
        Connection(["http://127.0.0.1:9"]).report(dump(Report()))


def test_wrong_identity_and_wrong_token_are_refused(gateway) -> None:
    connection = Connection([gateway.url])
    connection.identify(uuid4(), "wrong")
    with pytest.raises(Refused, match="401"):
        connection.poll(dump(Poll(free=1)), 1)
    with pytest.raises(Refused):
        connection.enrol(Enrol(token="wrong", name="pc"))


def test_answer_that_is_no_message_is_no_answer(gateway, monkeypatch) -> None:
    monkeypatch.setattr(gateway, "answer", lambda *_: (200, b'{"runs": 1}'))
    with pytest.raises(Unavailable, match="no dispatcher says"):
        connected(gateway).poll(dump(Poll(free=1)), 1)


def test_poll_is_given_up_at_once_and_may_be_repeated(gateway) -> None:
    connection = connected(gateway)
    body = dump(Poll(free=0, wait_s=30))

    def interrupt() -> None:
        gateway.wait(lambda: gateway.polls)
        connection.interrupt()

    threading.Thread(target=interrupt).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        connection.poll(body, 30)
    assert time.monotonic() - started < 5
    with pytest.raises(Interrupted):
        connection.poll(body, 30)
    connection.allow()
    assert connection.poll(dump(Poll(free=0, wait_s=0)), 0).runs == []


def test_interrupt_before_the_first_connection(gateway) -> None:
    connection = connected(gateway)
    connection.interrupt()
    with pytest.raises(Interrupted):
        connection.poll(dump(Poll(free=0)), 1)
    assert gateway.polls == []


def test_waiting_times_grow_to_a_limit_and_differ() -> None:
    backoff = Backoff(0.2, 10)
    waits = [backoff.next_s() for _ in range(100)]
    assert waits[0] <= 0.2
    assert max(waits) <= 10
    assert min(waits[20:]) >= 2.5
    assert len(set(waits)) == 100
    backoff.reset()
    assert backoff.next_s() <= 0.2
