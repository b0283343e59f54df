"""The drawing of the states: ``docs/states.rst`` shows exactly the moves that the table in the code allows."""

from __future__ import annotations

import re

from sources import ROOT

from dispatcher.core.states import FINISHED, MOVES, State

DOCUMENT = (ROOT / "docs" / "states.rst").read_text(encoding="utf-8")
#: A row of the table of arrows: two words and the new state, with at least two blanks between the columns.
_ARROW = re.compile(r"^([A-Z_]+)  +([a-z][a-z ]*?)  +([A-Z_]+)$", re.MULTILINE)
_NUMBER = re.compile(r"^(-?\d+) +([A-Z_]+) ", re.MULTILINE)


def test_documented_arrows_are_the_moves() -> None:
    documented = _ARROW.findall(DOCUMENT)
    moves = {
        (state.name, event.value, after.name) for state, events in MOVES.items() for event, after in events.items()
    }

    assert {*documented} == moves
    assert len(documented) == len(moves)


def test_drawing_names_every_state() -> None:
    drawing = DOCUMENT.partition("::\n")[2].partition("\nEvery arrow\n")[0]

    assert {state.name for state in State if state.name not in drawing} == set()


def test_finished_states_have_no_arrow() -> None:
    assert not FINISHED & MOVES.keys()


def test_documented_numbers_are_those_of_the_states() -> None:
    documented = {name: int(number) for number, name in _NUMBER.findall(DOCUMENT)}

    assert documented == {state.name: state.value for state in State}
