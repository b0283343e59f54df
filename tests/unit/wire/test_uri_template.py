"""URI templates: literals in any case, variables in path and query."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work import assert_linear

from dispatcher.bindings.ivanti_automation.soap import SchedulingService
from dispatcher.wire.operations import operations_of
from dispatcher.wire.uri_template import parse_template

TEMPLATES = [parse_template(one.route.template) for one in operations_of(SchedulingService).values()]
RESULTS = parse_template("jobs/{JOBID}/results?overview={OVERVIEW}&detailed={DETAILED}")
WHAT = parse_template("what/{WHATTYPE}s/{WHATID}/inputparameters")


@pytest.mark.parametrize("path", ["jobs/{7}/results", "JOBS/{7}/Results"])
def test_literals_match_in_any_case(path: str) -> None:
    assert RESULTS.match(path, "") == {"JOBID": "{7}"}


@pytest.mark.parametrize(
    "query",
    ["overview=True&detailed=False", "Overview=True&DETAILED=False&x=1", "overview=0&overview=True&detailed=False"],
)
def test_names_of_the_query_match_in_any_case_and_the_last_counts(query: str) -> None:
    assert RESULTS.match("jobs/7/results", query) == {"JOBID": "7", "OVERVIEW": "True", "DETAILED": "False"}


def test_values_of_the_query_are_decoded() -> None:
    assert parse_template("who?search={SEARCH}").match("who", "search=a%20b+c%C3%A9%26") == {"SEARCH": "a b cé&"}
    assert parse_template("who?search={SEARCH}").match("who", "search=") == {"SEARCH": ""}


@pytest.mark.parametrize("kind", ["module", "Modules"[:-1], "RunBook"])
def test_variable_beside_a_literal(kind: str) -> None:
    # LUCD appends an "s" to the name of the type.
    assert WHAT.match(f"what/{kind}s/7/inputparameters", "") == {"WHATTYPE": kind, "WHATID": "7"}


@pytest.mark.parametrize(
    "path", ["", "jobs", "jobs//results", "jobs/7/results/x", "xjobs/7/results", "jobs/7/8/results", "jobs/7/results\n"]
)
def test_other_paths_do_not_match(path: str) -> None:
    assert RESULTS.match(path, "") is None


def test_characters_that_mean_something_in_patterns_are_plain() -> None:
    assert parse_template("a.b+c").match("aXbbc", "") is None
    assert parse_template("a.b+c").match("a.b+c", "") == {}


HOSTILE: dict[str, Callable[[int], tuple[str, str]]] = {
    "long variable": lambda n: ("what/" + "s" * n, ""),
    "many slashes": lambda n: ("what/" + "s/" * (n // 2), ""),
    "almost": lambda n: ("what/" + "s" * (n // 2) + "s/" + "x" * (n // 2) + "/inputparameter", ""),
    "many names": lambda n: ("jobs", "&".join(f"a{number}=1" for number in range(n // 8))),
    "one name": lambda n: ("jobs", "page=1&" * (n // 7)),
    "percents": lambda n: ("who", "search=" + "%" * n),
    "encoded": lambda n: ("who", "search=" + "%41" * (n // 3)),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_cost_is_linear(make: Callable[[int], tuple[str, str]]) -> None:
    # The server takes no longer request line than this.
    assert_linear(lambda n: [template.match(*make(n)) for template in TEMPLATES], 65_536)


@given(st.text(), st.text())
def test_no_text_breaks_it(path: str, query: str) -> None:
    for template in TEMPLATES:
        found = template.match(path, query)
        assert found is None or all(isinstance(value, str) for value in found.values())
