"""Output parameters: lines of Name=value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks import outputs

NAMES = st.text(
    st.characters(exclude_characters="=\ufffe\uffff", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10
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


def test_no_file_means_no_outputs(tmp_path: Path) -> None:
    assert outputs.read(tmp_path / "none") == {}


@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x85", "\uffff"])
def test_control_characters_are_refused(tmp_path: Path, character: str) -> None:
    file = tmp_path / "file"
    file.write_text(f"good=1\nbad=a{character}b\n", "utf-8")
    with pytest.raises(InvalidValue, match=rf"line 2 .* U\+{ord(character):04X}"):
        outputs.read(file)


@pytest.mark.parametrize("data", [b"a=1\nnonsense", b"=1", b"a=\xff", b"a=" + b"x" * outputs.MAX_BYTES])
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    with pytest.raises(InvalidValue):
        outputs.read(file)
