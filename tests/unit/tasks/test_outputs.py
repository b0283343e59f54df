"""Output parameters: what a file says, and what it makes of the declared parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.core.parameters import Parameter, ParameterType
from dispatcher.tasks import outputs

NAMES = st.text(
    st.characters(exclude_characters="=<\ufffe\uffff", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10
)
VALUES = st.text(
    st.characters(exclude_characters="\ufffe\uffff", exclude_categories=["Cs", "Cc"], include_characters="\t"),
    max_size=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, VALUES))
def test_every_line_is_read(tmp_path: Path, values: dict[str, str]) -> None:
    file = tmp_path / "file"
    file.write_text("Level=old\r\n\n" + "".join(f"{name}={value}\n" for name, value in values.items()), newline="")
    assert outputs.read(file) == {"Level": "old", **values}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.lists(VALUES.filter(lambda line: line != "THE END"))))
def test_every_block_is_read(tmp_path: Path, values: dict[str, list[str]]) -> None:
    file = tmp_path / "file"
    blocks = [
        f"{name}<<THE END\n{''.join(f'{line}' + chr(10) for line in lines)}THE END\n" for name, lines in values.items()
    ]
    file.write_text("".join(blocks), newline="")
    assert outputs.read(file) == {name: "\n".join(lines) for name, lines in values.items()}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1<<2\nB=x=<<y\n", {"A": "1<<2", "B": "x=<<y"}),
        ("A<<=\nB=2\n=\nC=3", {"A": "B=2", "C": "3"}),
        ("A<<E\r\none\r\n\r\nE\r\n", {"A": "one\n"}),
        ("A<<E\n E\nE \nE", {"A": " E\nE "}),
        ("A=1\nA<<E\n2\nE", {"A": "2"}),
        ("A.b=1", {"A.b": "1"}),
    ],
)
def test_first_sign_decides_what_a_line_is(tmp_path: Path, text: str, values: dict[str, str]) -> None:
    file = tmp_path / "file"
    file.write_text(text, newline="")
    assert outputs.read(file) == values


def test_block_without_end_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("A=1\nB<<E\nx\n")
    with pytest.raises(InvalidValue, match="line 2 begins a value that 'E' never ends"):
        outputs.read(file)


def test_no_file_means_no_outputs(tmp_path: Path) -> None:
    assert outputs.read(tmp_path / "none") == {}


@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x85", "\uffff"])
def test_control_characters_are_refused(tmp_path: Path, character: str) -> None:
    file = tmp_path / "file"
    file.write_text(f"good=1\nbad=a{character}b\n", "utf-8")
    with pytest.raises(InvalidValue, match=rf"line 2 .* U\+{ord(character):04X}"):
        outputs.read(file)


@pytest.mark.parametrize(
    "data", [b"a=1\nnonsense", b"=1", b"<<E\nE", b"a<<\n", b"a=\xff", b"a=" + b"x" * outputs.MAX_BYTES]
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(InvalidValue):
        outputs.read(file)


LOGIN = Parameter("Login", ParameterType.CREDENTIALS, "me", "old")
LEVEL = Parameter("Level", ParameterType.LIST, "low", "low;high")
RINGS = Parameter("Rings", ParameterType.MULTISELECT, "", "1;2;3")
TEXT = Parameter("Login.password", value1="")


@pytest.mark.parametrize(
    ("given", "user", "password"),
    [
        ({"Login": "you", "Login.password": "new"}, "you", "new"),
        ({"Login.password": "new"}, "me", "new"),
        ({"Login": "me"}, "me", "old"),
        ({"Login": "you"}, "you", ""),  # nobody's password is given to somebody else
    ],
)
def test_credentials_come_in_two_parts(given: dict[str, str], user: str, password: str) -> None:
    [changed] = outputs.accept(given, [LOGIN]).changed
    assert (changed.value1, changed.value2) == (user, password)


def test_only_what_is_declared_is_accepted() -> None:
    accepted = outputs.accept(
        {"Level": "high", "level": "low", "Level.password": "x", "Rings": "3;1"}, [LEVEL, RINGS, LOGIN]
    )
    assert [(one.name, one.value1, one.value2) for one in accepted.changed] == [
        ("Level", "high", "low;high"),
        ("Rings", "3;1", "1;2;3"),
    ]
    assert accepted.unknown == ["level", "Level.password"]


def test_parameter_may_be_called_like_a_password() -> None:
    accepted = outputs.accept({"Login.password": "x"}, [TEXT])
    assert [(one.name, one.value1) for one in accepted.changed] == [("Login.password", "x")]


@pytest.mark.parametrize("given", [{"Level": "medium"}, {"Level": ""}, {"Rings": "1;4"}])
def test_value_that_is_no_choice_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="is none of"):
        outputs.accept(given, [LEVEL, RINGS])
