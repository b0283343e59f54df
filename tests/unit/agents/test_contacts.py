"""Contacts: a newcomer is stored at once and alone, all are now and then, and who was left out is told again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from dispatcher.agents import contacts
from dispatcher.agents.contacts import Contacts

FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))


class Enrolment:
    """Takes down who was told to be there and who to have gone; *locked* says whom it leaves out, call by call."""

    def __init__(self) -> None:
        self.told: list[tuple[set[UUID], set[UUID]]] = []
        self.locked: list[set[UUID] | Exception] = []
        self.news = asyncio.Event()

    def note_contacts(self, online: Mapping[UUID, datetime], offline: Mapping[UUID, datetime]) -> set[UUID]:
        if online or offline:
            self.told.append((set(online), set(offline)))
            self.news.set()
            left_out = self.locked.pop(0) if self.locked else set()
            if isinstance(left_out, Exception):
                raise left_out
            return left_out
        return set()

    async def until(self, calls: int) -> None:
        while len(self.told) < calls:
            self.news.clear()
            await self.news.wait()


@pytest.fixture
def run(clock: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a scenario on a loop, with contacts that have begun."""
    monkeypatch.setattr(contacts, "AGAIN_S", 0.0)

    def run(scenario: Callable[[Contacts, Enrolment], Awaitable[None]]) -> None:
        async def at_once(work: Callable[[], set[UUID]]) -> set[UUID]:
            return work()

        async def main() -> None:
            book = Enrolment()
            one = Contacts(book, clock, set)  # type: ignore[arg-type]
            one.start(at_once)
            await asyncio.wait_for(scenario(one, book), 20)
            await one.stop()

        asyncio.run(main())

    return run


def test_a_newcomer_is_stored_at_once_without_all_others(run: Callable[..., None]) -> None:
    async def scenario(one: Contacts, book: Enrolment) -> None:
        for number, agent in enumerate([FIRST, SECOND, THIRD], 1):
            one.heard(agent)
            one.heard(FIRST)
            await book.until(number)
        assert book.told == [({agent}, set()) for agent in (FIRST, SECOND, THIRD)]

    run(scenario)


def test_all_are_stored_when_it_is_time(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(one: Contacts, book: Enrolment) -> None:
        one.heard(FIRST)
        await book.until(1)
        one.heard(SECOND)
        while book.told[-1] != ({FIRST, SECOND}, set()):
            await book.until(len(book.told) + 1)

    monkeypatch.setattr(contacts, "STORE_EVERY_S", 0.01)
    run(scenario)


@pytest.mark.parametrize("trouble", [{FIRST}, OSError("the datastore is away")], ids=["locked", "away"])
def test_who_was_left_out_is_told_again(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, trouble: set[UUID] | Exception
) -> None:
    monkeypatch.setattr(contacts, "RECONNECT_S", 0.0)

    async def scenario(one: Contacts, book: Enrolment) -> None:
        book.locked = [trouble]
        one.heard(FIRST)
        await book.until(2)
        book.locked = [trouble]
        one.hung_up(FIRST)
        await book.until(4)
        assert book.told == [({FIRST}, set())] * 2 + [(set(), {FIRST})] * 2

    run(scenario)


def test_who_has_gone_and_is_back_is_not_told_to_have_gone(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "RECONNECT_S", 0.0)

    async def scenario(one: Contacts, book: Enrolment) -> None:
        one.heard(FIRST)
        await book.until(1)
        monkeypatch.setattr(contacts, "AGAIN_S", 0.01)
        book.locked = [{FIRST}]
        one.hung_up(FIRST)
        await book.until(2)
        one.heard(FIRST)
        await book.until(3)
        assert book.told == [({FIRST}, set()), (set(), {FIRST}), ({FIRST}, set())]

    run(scenario)
