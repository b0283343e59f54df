"""Queries and set output: values found out or made up, compared, and given to output parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks import set_output
from dispatcher.tasks.picking import Pick, parse_json_path
from dispatcher.tasks.query import TYPE
from dispatcher.tasks.work import TaskFailed


def query(workshop: Any, settings: dict[str, Any], **values: str) -> str:
    workshop.do(TYPE, {"parameter": "Out", **settings}, **values)
    return workshop.outputs["Out"]


def test_command_file_and_text(workshop: Any) -> None:
    (workshop.work / "os-release").write_text('NAME="Linux"\nVERSION_ID="12"\n')
    settings = {"command": "printf 'a\\nb %s\\n' $[V]; echo noise >&2", "take": {"line": "2"}}
    assert query(workshop, settings, PARAM_V="$(x)") == "b $(x)"
    assert query(workshop, {"file": "os-release", "take": {"regex": 'VERSION_ID="(.*)"'}}) == "12"
    assert query(workshop, {"text": " @[os] ", "take": {}}, FACT_os="linux") == "linux"


def test_command_that_fails_fails_the_task(workshop: Any) -> None:
    with pytest.raises(TaskFailed, match="exit code 3"):
        query(workshop, {"command": "echo 1; exit 3"})
    with pytest.raises(InvalidValue, match=r"\$\[No\]"):
        query(workshop, {"command": "echo $[No]"})


def test_no_value_fails_unless_there_is_a_default(workshop: Any) -> None:
    for take in ({"regex": "z(.)"}, {"line": 5}, {"line": 0}):
        with pytest.raises(TaskFailed, match="there is no"):
            query(workshop, {"text": "abc", "take": take})
        assert query(workshop, {"text": "abc", "take": {**take, "default": "$[D]"}}, PARAM_D="d") == "d"


@pytest.mark.parametrize(
    ("value", "expect", "problem"),
    [
        ("5", {"equals": "$[Five]"}, ""),
        ("6", {"equals": "$[Five]"}, "is not"),
        ("6", {"differs": "$[Five]"}, ""),
        ("5", {"differs": "$[Five]"}, "is "),
        ("1.5.2", {"contains": ".$[Five]."}, ""),
        ("1.6", {"contains": ".$[Five]."}, "does not contain"),
        ("v12", {"matches": "^v[0-9]+$"}, ""),
        ("v12x", {"matches": "^v[0-9]+$"}, "does not match"),
        ("4.9", {"below": 5}, ""),
        ("5", {"below": "5"}, "is not below 5"),
        ("5.1", {"above": 5}, ""),
        ("5", {"above": 5}, "is not above 5"),
        ("five", {"above": 5}, "is no number"),
        ("nan", {"above": 5}, "is not above 5"),
    ],
)
def test_value_is_compared(workshop: Any, value: str, expect: dict[str, Any], problem: str) -> None:
    settings = {"text": "$[V]", "expect": expect}
    if not problem:
        assert query(workshop, settings, PARAM_V=value, PARAM_Five="5") == value
        return
    with pytest.raises(TaskFailed, match=f"the value {problem}"):
        query(workshop, settings, PARAM_V=value, PARAM_Five="5")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"parameter": "a"}, "exactly one of command"),
        ({"text": "a", "file": "b", "parameter": "a"}, "exactly one of command"),
        ({"text": "a"}, "nobody learns"),
        ({"text": "a", "expect": {}}, "exactly one of equals"),
        ({"text": "a", "parameter": "a=b"}, "should match"),
        ({"text": "a", "parameter": "a", "take": {"regex": "("}}, "no pattern"),
        ({"text": "a", "parameter": "a", "take": {"regex": "(" * 20_000 + ")" * 20_000}}, "no pattern"),
        ({"text": "a", "parameter": "a", "take": {"regex": "a{99999999999}"}}, "no pattern"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TYPE.Settings.model_validate(settings)


def test_references_where_the_shell_cannot_expand_them_are_refused() -> None:
    settings = TYPE.Settings.model_validate({"command": "echo '$[x]'", "parameter": "a"})
    with pytest.raises(InvalidValue, match="single quotes"):
        TYPE.references(settings)


@given(st.text(max_size=50), st.integers(-5, 5))
def test_a_line_is_a_line_or_nothing(text: str, line: int) -> None:
    taken = Pick(line=line, default="nothing").take(text)
    assert taken in text.splitlines() or taken == "nothing"


@given(st.lists(st.integers(0, 99) | st.text("abc xyz.[]", min_size=1).filter(lambda text: "'" not in text)))
def test_json_path_leads_where_it_says(steps: list[str | int]) -> None:
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f"['{step}']" for step in steps)
    assert parse_json_path(path) == steps


def test_json_that_is_none_fails_the_task() -> None:
    for text in ("", "{", "[" * 100_000):
        with pytest.raises(TaskFailed, match="no JSON"):
            Pick(json_path="a").take(text)
    assert Pick(json_path="a[0]", default="none").take('{"a": "text"}') in ("t", "none")


def test_set_output_fills_and_sets_all_or_none(workshop: Any) -> None:
    kind = set_output.TYPE
    values = {"Url": "http://$[Host]/", "Text": "a\nb$[Host]\n", "Empty": ""}
    workshop.do(kind, {"values": values}, PARAM_Host="h")
    assert workshop.outputs == {"Url": "http://h/", "Text": "a\nbh\n", "Empty": ""}
    with pytest.raises(InvalidValue):
        workshop.do(kind, {"values": {"A": "1", "B": "$[No]"}})
    assert workshop.outputs == {}
    assert kind.summary(kind.Settings.model_validate({"values": values})) == "Url, Text, Empty"
    with pytest.raises(ValidationError):
        kind.Settings.model_validate({"values": {}})
