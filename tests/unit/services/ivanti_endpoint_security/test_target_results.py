"""Target results: what lines say of targets, what is none, and what is cut or missing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.services.ivanti_endpoint_security import target_results
from dispatcher.services.ivanti_endpoint_security.target_results import TargetResult, Told, read, whole_lines

#: What tasks may write between tabs; other computers say some of it, ends of lines of Unicode's own among that.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), max_size=12)
RESULTS = st.builds(TargetResult, TEXTS, TEXTS, TEXTS)


def told(*outputs: str | bytes) -> Told:
    data = [one.encode() if isinstance(one, str) else one for one in outputs]
    return read(([(0, one)], len(one)) for one in data)


@settings(max_examples=60)
@given(st.lists(st.lists(RESULTS, max_size=4), max_size=3), st.sampled_from(["\n", "\r\n"]))
def test_what_tasks_have_written_is_read(tasks: list[list[TargetResult]], end: str) -> None:
    outputs = [
        f"# so many targets{end}" + "".join(f"{one.target}\t{one.status}\t{one.detail}{end}" for one in results)
        for results in tasks
    ]
    assert told(*outputs) == Told([one for results in tasks for one in results], ["so many targets"] * len(tasks))


@settings(max_examples=60)
@given(st.lists(st.text(st.sampled_from("#a\t\n\r \x85\u2028"), max_size=30), max_size=3))
def test_any_text_is_read_and_a_line_is_one_result_at_most(outputs: list[str]) -> None:
    assert len(told(*outputs).results) <= sum(output.count("\n") for output in outputs)


@settings(max_examples=100)
@given(st.lists(st.text("ab\t\n", max_size=6).map(str.encode), max_size=8), st.sets(st.integers(0, 7)))
def test_only_lines_of_which_all_is_there_are_given(written: list[bytes], missing: set[int]) -> None:
    pieces, offset = [], 0
    for place, data in enumerate(written):
        if place not in missing:
            pieces.append((offset, data))
        offset += len(data)
    lines = [one for one in whole_lines(pieces, offset) if not one.startswith("#")]
    whole = b"".join(written).decode().split("\n")[:-1]
    at = iter(whole)
    assert all(any(one == other for other in at) for one in lines), "each is a line of the output, in order"
    if missing.isdisjoint(range(len(written))):
        assert lines == whole


def test_a_missing_part_is_told_and_no_rest_of_a_line_names_a_target() -> None:
    pieces = [(0, b"127.0.0.1\tFound\t\n127.0.0."), (40, b"25\tFound\t\n127.0.0.9\tFound\t\n127.0.0.10\tFou")]
    found = read([(pieces, 100)])
    assert [one.target for one in found.results] == ["127.0.0.1", "127.0.0.9"]
    assert found.remarks == [
        "results are missing: 15 of 100 bytes of the output are not read, or not kept",
        "results are missing: 19 of 100 bytes of the output are not read, or not kept",
    ]


def test_output_that_is_not_kept_any_more_is_told() -> None:
    assert read([([], 9)]).remarks == ["results are missing: 9 of 9 bytes of the output are not read, or not kept"]
    assert read([([], 0)]) == Told([], [])


def test_a_line_that_is_not_ended_yet_is_left_out() -> None:
    assert [one.target for one in told("127.0.0.1\tFound\t\n127.0.0.1").results] == ["127.0.0.1"]


def test_a_name_cannot_make_another_line() -> None:
    (only,) = told("127.0.0.1\tFound\tpc\u2028127.0.0.2\tInstalled\tby nobody\n").results
    assert (only.target, only.status) == ("127.0.0.1", "Found")


def test_lines_without_tabs_and_with_a_hash_are_none() -> None:
    lines = ["# no library\tfor SNMP", "Connecting", "", "127.0.0.1\tFound", ""]
    assert told("\n".join(lines)).results == [TargetResult("127.0.0.1", "Found", "")]


def test_a_computer_with_a_hash_before_its_name_makes_no_remark() -> None:
    assert told("# all is well\tNot resolved\t\n") == Told([TargetResult("# all is well", "Not resolved", "")], [])


def test_remarks_are_the_lines_with_a_hash() -> None:
    outputs = ["# SNMP: not asked\r\n127.0.0.1\tFound\t# no remark\n#\nConnecting\n", "# 1 computers found\n"]
    assert told(*outputs).remarks == ["SNMP: not asked", "1 computers found"]


def test_how_far_it_has_come_is_told_until_more_is_known() -> None:
    lines = "# SNMP: not asked\n# so far: 1 computers found\n127.0.0.1\tFound\t\n# so far: 2 computers found\n"
    assert told(lines).remarks == ["SNMP: not asked", "so far: 2 computers found"]
    assert told(f"{lines}# 3 computers found\n").remarks == ["SNMP: not asked", "3 computers found"]


def test_what_is_too_much_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_results, "MOST_RESULTS", 2)
    monkeypatch.setattr(target_results, "MOST_REMARKS", 3)
    found = told("".join(f"a{number}\tFound\t\n# remark {number}\n" for number in range(5)))
    assert [one.target for one in found.results] == ["a0", "a1"]
    assert found.remarks == [
        *("remark 0", "remark 1", "remark 4"),
        "3 more results are left out here: the output of the job has them",
        "2 more remarks are left out here: the output of the job has them",
    ]


def test_a_line_without_end_costs_no_more_than_it_is_long() -> None:
    begin = time.process_time()
    found = read([([(place * 4096, b"x" * 4096) for place in range(4096)], 4096 * 4096)])
    assert found == Told([], [])
    assert time.process_time() - begin < 1
