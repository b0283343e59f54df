"""``dispatcher library`` imports and exports, says what changed, and lists whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

TEXT = """
modules:
  - {name: 'Copy [bold]', id: 5cf59e5a-343c-4d85-a83c-8b18e4731040, folder: Demo}
teams:
  - {name: All, rule: 'true'}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "library.yaml"
    path.write_text(TEXT)
    return path


def test_import_shows_what_changed_and_export_gives_it_back(run: Run, file: Path, tmp_path: Path) -> None:
    first = run("library", "import", str(file))
    assert first.exit_code == 0
    assert "5cf59e5a-343c-4d85-a83c-8b18e4731040  modules  Copy [bold]  created" in first.stdout
    assert first.stdout.endswith("2 created, 0 updated, 0 unchanged\n")
    assert run("library", "import", str(file)).stdout == "0 created, 0 updated, 2 unchanged\n"
    printed = run("library", "export")
    assert "name: Copy [bold]" in printed.stdout
    assert run("library", "export", str(tmp_path / "out.yaml")).exit_code == 0
    assert (tmp_path / "out.yaml").read_text() == printed.stdout
    assert run("library", "import", "-", stdin=printed.stdout).stdout == "0 created, 0 updated, 2 unchanged\n"


def test_import_tells_programs_what_changed(run: Run, file: Path) -> None:
    result = run("library", "import", "--json", str(file))
    assert [(entry["section"], entry["outcome"]) for entry in json.loads(result.stdout)] == [
        ("modules", "created"),
        ("teams", "created"),
    ]


def test_everything_that_is_wrong_is_listed(run: Run, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("teams:\n  - {name: T, rule: 'os'}\n  - {name: U, colour: red}\n")
    result = run("library", "import", str(file), str(other))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.removeprefix(f"{other}:").split(": ")[:2] for line in result.stderr.splitlines()] == [
        ["2", "teams[0].rule"],
        ["3", "teams[1].colour"],
    ]
    assert run("library", "export").stdout == ""


def test_a_file_that_is_not_there_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("library", "import", str(tmp_path / "none.yaml")).exit_code == 2
    assert run("library", "import").exit_code == 2


SECRET = """
modules:
  - name: M
    parameters: [{name: Word, type: password, value: s3cret}]
    tasks: [{type: command, name: t, settings: {command: 'echo "$[Word]"'}}]
"""


def test_another_key_file_is_refused_unless_it_is_to_be_the_new_one(run: Run, tmp_path: Path) -> None:
    assert run("library", "import", "-", stdin=SECRET).exit_code == 0
    other = {"DISPATCHER_DATASTORE__KEY_FILE": str(tmp_path / "other.key")}
    refused = run("library", "import", "-", stdin=SECRET, **other)
    assert refused.exit_code == 4
    assert "sealed with another key" in refused.stderr
    warned = run("migrate", **other)
    assert warned.exit_code == 0
    assert "does not fit" in warned.stderr
    assert run("library", "import", "--new-key", "-", stdin=SECRET, **other).exit_code == 0
    assert run("library", "import", "-", stdin=SECRET, **other).stdout == "0 created, 0 updated, 1 unchanged\n"
    assert run("library", "import", "-", stdin=SECRET).exit_code == 4
