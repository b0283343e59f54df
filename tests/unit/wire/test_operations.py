"""Operations: one declaration holds all that the protocols need."""

from __future__ import annotations

from dataclasses import replace

from echo_service import OPERATIONS, Colour, Thing

from dispatcher.core.errors import Deadlock
from dispatcher.wire.types import Kind, kind_of


def test_operations_stand_in_declared_order() -> None:
    assert list(OPERATIONS) == ["Store", "Change", "Find", "Show", "First", "Name", "WhoAmI", "Fail", "Wrap"]


def test_arguments_have_names_and_types_in_declared_order() -> None:
    find = OPERATIONS["Find"]

    assert [name for name, _ in find.arguments] == ["colour", "light", "count"]
    assert [kind_of(one) for _, one in find.arguments] == [Kind.ENUM, Kind.FLAG, Kind.NUMBER]
    assert find.arguments[0][1].names == Colour.names
    assert (OPERATIONS["First"].arguments, OPERATIONS["First"].name) == ((), "First")


def test_route_and_result_are_kept() -> None:
    store = OPERATIONS["Store"]

    assert (store.route.verb, store.route.template, store.route.body) == ("POST", "things", "thing")
    assert store.returns is Thing


def test_what_met_a_deadlock_is_done_again() -> None:
    calls = []

    def ask(context: str, number: int) -> int:
        calls.append(context)
        if len(calls) < 3:
            raise Deadlock("busy")
        return number

    operation = replace(OPERATIONS["Show"], function=ask)
    assert operation("somebody", 7) == 7
    assert calls == ["somebody"] * 3


def test_function_is_called_directly() -> None:
    assert OPERATIONS["Show"].function(None, "7") == "7"
