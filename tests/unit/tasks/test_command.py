"""Commands: what is run, and what is refused before anything is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.command import TYPE, CommandSettings


def settings(**members) -> CommandSettings:
    return CommandSettings.model_validate({"command": "true", **members})


def test_runs_the_shell_with_expansions_instead_of_values(a_context) -> None:
    context = a_context(PARAM_Line="$(x)")
    TYPE.run(settings(command="echo $[Line]", directory="sub $[Line]", environment={"A": "[$[Line]]"}), context)
    (process,) = context.processes
    assert process.command_line == ["/bin/sh", "-c", 'echo "${PARAM_Line}"']
    assert process.directory == context.work / "sub $(x)"
    assert process.environment == {"A": "[$(x)]"}
    assert process.success_codes == {0}


@pytest.mark.parametrize("member", [{"command": "echo $[No]"}, {"directory": "$[No]"}, {"environment": {"A": "^[No]"}}])
def test_reference_without_a_value_runs_nothing(a_context, member) -> None:
    context = a_context()
    with pytest.raises(InvalidValue, match=r"\[No\]"):
        TYPE.run(settings(**member), context)
    assert context.processes == []


def test_references_of_all_members() -> None:
    found = TYPE.references(settings(command="a $[x] # $[c]", directory="@[os]", environment={"A": "^[v]"}))
    assert [str(one) for one in found] == ["$[x]", "@[os]", "^[v]"]


def test_references_are_judged_by_the_shell_of_the_platform() -> None:
    quoted, shouted = settings(command="echo '$[x]'"), settings(command="echo $[x]!")
    with pytest.raises(InvalidValue, match="single quotes"):
        TYPE.references(quoted)
    with pytest.raises(InvalidValue, match="exclamation"):
        TYPE.references(shouted, ["LINUX", "WINDOWS"])
    assert len(TYPE.references(quoted, ["WINDOWS"])) == 1
    assert len(TYPE.references(shouted, ["LINUX"])) == 1


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"command": ""}, ("command",)),
        ({"command": "a\0b"}, ("command",)),
        ({"colour": "red"}, ("colour",)),
        ({"environment": {"A=B": "x"}}, ("environment", "A=B", "[key]")),
        ({"success_codes": []}, ("success_codes",)),
        ({"success_codes": [-1]}, ("success_codes", 0)),
    ],
)
def test_wrong_settings_are_named(members, place) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**members)
    assert [error["loc"] for error in caught.value.errors()] == [place]


def test_summary_is_one_short_line() -> None:
    assert TYPE.summary(settings(command="\n  echo a\necho b")) == "echo a"
    assert len(TYPE.summary(settings(command="x" * 500))) == 80
