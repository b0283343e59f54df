"""Lines: neighbours with one outcome are one line, in whatever order they come."""

from __future__ import annotations

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.core.computers import FoundComputer
from dispatcher.tasks.discovering.lines import Outcome, Status, Stretch, line
from dispatcher.tasks.discovering.order import RangeTarget
from dispatcher.tasks.discovering.targets import Span, span

SILENT = Outcome(Status.NO_ANSWER)


def a_stretch(start: str, end: str) -> tuple[Stretch, Span, list[str]]:
    lines: list[str] = []
    wanted = span(RangeTarget(start=start, end=end))
    return Stretch(wanted, lines.append), wanted, lines


def found(address: str) -> Outcome:
    return Outcome(Status.FOUND, "by icmp", FoundComputer(address))


def test_what_is_found_is_told_at_once_and_the_rest_when_it_ends() -> None:
    stretch, wanted, lines = a_stretch("127.0.0.1", "127.0.0.5")
    stretch.settle(wanted.first + 3, found("127.0.0.4"))
    assert lines == ["127.0.0.4\tFound\tby icmp"]
    for offset in (2, 0, 1):
        stretch.settle(wanted.first + offset, SILENT)
    assert lines[1:] == ["127.0.0.1 - 127.0.0.3\tNo answer\t"]
    assert not stretch.is_done
    stretch.settle(wanted.last, SILENT)
    assert lines[2:] == ["127.0.0.5\tNo answer\t"]
    assert stretch.is_done


def test_other_outcomes_are_other_lines() -> None:
    stretch, wanted, lines = a_stretch("127.0.0.1", "127.0.0.4")
    for offset, detail in enumerate(["", "", "too many open files", "too many open files"]):
        status = Status.FAILED if detail else Status.NO_ANSWER
        stretch.settle(wanted.first + offset, Outcome(status, detail))
    assert lines == [
        "127.0.0.1 - 127.0.0.2\tNo answer\t",
        "127.0.0.3 - 127.0.0.4\tFailed\ttoo many open files",
    ]


def test_stretch_that_is_cut_off_tells_what_is_known() -> None:
    stretch, wanted, lines = a_stretch("127.0.0.1", "127.0.0.9")
    for offset in (0, 1, 4, 5, 7):
        stretch.settle(wanted.first + offset, SILENT)
    stretch.close()
    assert [one.partition("\t")[0] for one in lines] == [
        "127.0.0.1 - 127.0.0.2",
        "127.0.0.5 - 127.0.0.6",
        "127.0.0.8",
    ]


def test_what_others_have_written_stays_in_its_column() -> None:
    shown = line("a\tb\n# c", Outcome(Status.FOUND, "x\r\nfake\tNo answer\t\x1b[31m\u202ered"))
    assert shown == "a b # c\tFound\tx fake No answer [31mred"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([None, "", "other"]), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_lines_cover_every_address_once_in_any_order(outcomes, shuffle: random.Random) -> None:
    stretch, wanted, lines = a_stretch("127.0.0.0", f"127.0.0.{len(outcomes) - 1}")
    order = list(range(len(outcomes)))
    shuffle.shuffle(order)
    for place in order:
        detail = outcomes[place]
        outcome = found("x") if detail is None else Outcome(Status.NO_ANSWER, detail)
        stretch.settle(wanted.first + place, outcome)
    assert stretch.is_done
    told: dict[int, str | None] = {}
    for one in lines:
        target, status, detail = one.split("\t")
        first, _, last = target.partition(" - ")
        for number in range(int(first.split(".")[3]), int((last or first).split(".")[3]) + 1):
            assert number not in told
            told[number] = None if status == "Found" else detail
    assert [told[number] for number in range(len(outcomes))] == outcomes
    changes = sum(before != after for before, after in itertools.pairwise(outcomes))
    both_found = sum(before is after is None for before, after in itertools.pairwise(outcomes))
    assert len(lines) == changes + both_found + 1


def test_a_slow_address_costs_no_memory_for_those_after_it() -> None:
    stretch, wanted, _ = a_stretch("127.0.0.0", "127.0.255.255")
    for number in range(wanted.first + 1, wanted.last + 1):
        stretch.settle(number, SILENT)
    assert len(stretch._ahead) == len(stretch._firsts) == 1
