"""The lane: answers in turn, and none before what it tells of is on the disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import insert, select

from dispatcher.core.errors import Unavailable
from dispatcher.datastore.groupcommit import GroupCommit
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.web import lane as lanes
from dispatcher.web.lane import Lane
from dispatcher.wire.http import Request, Response

told: list[str] = []


def refuse(request: Request, status: int, reason: str) -> Response:
    return Response(status, f"{request.path} {reason}".encode())


@pytest.fixture
def store(datastore: Datastore) -> Callable[[Request, str], Response]:
    """Answers a request by storing a setting that has its path as its name."""

    def store(request: Request, address: str) -> Response:
        if request.path == "nothing":
            return Response(404)
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": request.path, "dispatcher": "", "value": "x"})
            after_commit(session, lambda: told.append(request.path))
        return Response(200, address.encode())

    return store


@pytest.fixture
def lane(datastore: Datastore, store: Callable[[Request, str], Response]) -> Iterator[Lane]:
    told.clear()
    with closing(Lane(datastore, store, refuse)) as lane:
        yield lane


def ask(lane: Lane, *paths: str) -> list[Response]:
    async def main() -> list[Response]:
        return await asyncio.gather(*(lane.answer(Request("POST", path), "here") for path in paths))

    return asyncio.run(main())


def names(datastore: Datastore) -> set[str]:
    with datastore.read() as session:
        return set(session.scalars(select(Setting.name)))


def test_each_request_has_its_own_answer_and_is_stored(lane: Lane, datastore: Datastore) -> None:
    paths = [str(number) for number in range(3 * lanes.MOST)]
    assert [one.status for one in ask(lane, *paths, "nothing")] == [200] * len(paths) + [404]
    assert names(datastore) == set(paths)
    assert told == paths


def test_nobody_is_answered_before_the_commit(
    lane: Lane, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, commit = threading.Event(), threading.Event(), GroupCommit._store

    def late(writer: GroupCommit) -> None:
        begun.set()
        may_end.wait(10)
        commit(writer)

    async def main() -> Response:
        answer = asyncio.ensure_future(lane.answer(Request("POST", "a"), "here"))
        assert await asyncio.to_thread(begun.wait, 10)
        assert (answer.done(), told, await asyncio.to_thread(names, datastore)) == (False, [], set())
        may_end.set()
        return await answer

    with monkeypatch.context() as patch:
        patch.setattr(GroupCommit, "_store", late)
        assert asyncio.run(main()).status == 200
    assert told == ["a"]


def test_what_could_not_be_stored_is_refused_and_the_lane_goes_on(
    lane: Lane, datastore: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(GroupCommit, "_store", fail)
        [answer] = ask(lane, "a")
    assert (answer.status, answer.body) == (503, b"a the datastore could not store this")
    assert [one.status for one in ask(lane, "a", "b")] == [200, 200]
    assert (names(datastore), sorted(told)) == ({"a", "b"}, ["a", "b"])


class Gate:
    """Holds back the answers to requests whose path is ``gate``, as long ones would be."""

    def __init__(self, respond: Callable[[Request, str], Response]) -> None:
        self.respond = respond
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, request: Request, address: str) -> Response:
        if request.path == "gate":
            self.reached.set()
            assert self.open.wait(10)
        return self.respond(request, address)


def test_what_nobody_waits_for_any_more_is_not_begun(
    datastore: Datastore, store: Callable[[Request, str], Response]
) -> None:
    async def main(lane: Lane, gate: Gate) -> None:
        first = asyncio.ensure_future(lane.answer(Request("POST", "gate"), ""))
        assert await asyncio.to_thread(gate.reached.wait, 10)
        gone = asyncio.ensure_future(lane.answer(Request("POST", "gone"), ""))
        last = asyncio.ensure_future(lane.answer(Request("POST", "last"), ""))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        assert [(await first).status, (await last).status] == [200, 200]

    gate = Gate(store)
    with closing(Lane(datastore, gate, refuse)) as lane:
        asyncio.run(main(lane, gate))
    assert names(datastore) == {"gate", "last"}


def test_a_row_with_an_answer_that_took_long_is_let_out_at_once(
    datastore: Datastore, store: Callable[[Request, str], Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[int] = []
    let_out = Lane._let_out

    def note(lane: Lane, row: Any, deferral: Any) -> None:
        rows.append(len(row))
        let_out(lane, row, deferral)

    monkeypatch.setattr(Lane, "_let_out", note)
    monkeypatch.setattr(lanes, "LONGEST_S", 0.0)
    with closing(Lane(datastore, store, refuse)) as lane:
        assert len(ask(lane, "a", "b", "c")) == 3
    assert rows == [1, 1, 1]


@pytest.mark.parametrize("broken", ["respond", "refuse"])
def test_what_nobody_foresaw_fails_one_answer_and_not_the_lane(
    datastore: Datastore, store: Callable[[Request, str], Response], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> Any:
        raise ZeroDivisionError

    def respond(request: Request, address: str) -> Response:
        return fail() if (broken, request.path) == ("respond", "bad") else store(request, address)

    with closing(Lane(datastore, respond, fail)) as lane:
        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            if broken == "refuse":
                patch.setattr(GroupCommit, "_store", fail)
            ask(lane, "bad")
        assert [one.status for one in ask(lane, "a", "b")] == [200, 200]
    assert names(datastore) == {"a", "b"}


def test_what_follows_an_answer_may_store_something_too(datastore: Datastore) -> None:
    def put(name: str) -> None:
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": name, "dispatcher": "", "value": "x"})

    def respond(request: Request, address: str) -> Response:
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": request.path, "dispatcher": "", "value": address})
            after_commit(session, lambda: put("follows"))
        return Response(200)

    with closing(Lane(datastore, respond, refuse)) as lane:
        assert ask(lane, "a")[0].status == 200
        assert names(datastore) == {"a", "follows"}


def test_a_lane_that_is_closed_refuses(datastore: Datastore, store: Callable[[Request, str], Response]) -> None:
    lane = Lane(datastore, store, refuse)
    lane.close()
    with pytest.raises(Unavailable):
        ask(lane, "a")


def test_what_cannot_be_told_does_not_end_the_lane(datastore: Datastore) -> None:
    def respond(request: Request, address: str) -> Response:
        with datastore.begin() as session:
            session.execute(insert(Setting), {"name": request.path, "dispatcher": "", "value": address})
            after_commit(session, lambda: 1 / 0)
        return Response(200)

    with closing(Lane(datastore, respond, refuse)) as lane:
        assert [one.status for one in ask(lane, "a", "b")] == [200, 200]
    assert names(datastore) == {"a", "b"}


def test_what_waits_at_the_end_is_answered(datastore: Datastore, store: Callable[[Request, str], Response]) -> None:
    async def main() -> list[Response]:
        lane = Lane(datastore, store, refuse)
        answers = [asyncio.ensure_future(lane.answer(Request("POST", str(number)), "")) for number in range(40)]
        await asyncio.sleep(0)
        await asyncio.to_thread(lane.close)
        return await asyncio.gather(*answers)

    assert {one.status for one in asyncio.run(main())} == {200}
    assert len(names(datastore)) == 40
