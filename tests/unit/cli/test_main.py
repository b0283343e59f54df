"""The command line explains itself quickly, and ends with the exit codes that scripts rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from dispatcher.cli.exits import exit_code_of
from dispatcher.cli.main import COMMANDS, cli
from dispatcher.core.errors import BadRequest, Conflict, DispatcherError, Forbidden, NotFound, Unavailable


@pytest.fixture
def datastore_file(new_file: Path) -> Path:
    """None is there yet."""
    return new_file


def test_help_lists_every_command_with_what_it_does(run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, text in COMMANDS.items():
        assert f"  {name}" in result.stdout
        assert text in result.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_exists_and_has_help(run, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage: dispatcher " + name in result.stdout


def test_help_loads_neither_database_nor_protocol() -> None:
    code = (
        "import sys; from dispatcher.cli.main import cli\n"
        "try: cli(['--help'], prog_name='dispatcher')\n"
        "except SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'spyne', 'lxml', 'pydantic', 'requests', 'rich'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_version_is_shown(run) -> None:
    assert run("--version").stdout == "dispatcher 0.1.0\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["login", "nonsense"], ["login", "add"]])
def test_wrong_usage_ends_with_2(run, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadRequest("x"), 2),
        (Unavailable("x"), 3),
        (NotFound("x"), 4),
        (Conflict("x"), 4),
        (Forbidden("a", "Read", "b"), 4),
        (DispatcherError("x"), 4),
    ],
)
def test_errors_have_their_exit_codes(error: DispatcherError, code: int) -> None:
    assert exit_code_of(error) == code


def test_wrong_configuration_is_told_completely(run, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("[web]\nlisten = 1\n[engine]\nlease_s = 'x'\n")
    result = run("--config", str(file), "login", "list")
    assert result.exit_code == 2
    assert "web.listen" in result.stderr
    assert "engine.lease_s" in result.stderr
    assert "Traceback" not in result.output


def test_option_wins_over_the_environment(run, tmp_path: Path, datastore_file: Path) -> None:
    other = tmp_path / "other.db"
    assert run("--datastore", f"sqlite:///{other}", "migrate").exit_code == 0
    assert other.exists()
    assert not datastore_file.exists()


def test_message_cannot_steer_the_terminal(run) -> None:
    result = run("login", "disable", "a\x1b[2Jb")
    assert result.exit_code == 4
    assert result.stderr == "dispatcher: no login a\\x1b[2Jb\n"


def test_all_wrong_settings_of_the_environment_are_one_error(run) -> None:
    wrong = {"DISPATCHER_WEB__LISTEN": "host:port", "DISPATCHER_AGENTS__LISTEN": "{", "DISPATCHER_WEB__LISTEN__X": "1"}
    result = run("login", "list", **wrong)
    assert (result.exit_code, result.stdout) == (2, "")
    first, *places = result.stderr.splitlines()
    assert first == "dispatcher: the configuration is wrong:"
    assert sorted(place.strip().partition(":")[0] for place in places) == sorted(wrong)


def test_an_agent_has_a_configuration_of_its_own(run, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text("colour = 1\n")
    # Before the command it is the server's: so read, this one is no agent's.
    assert "colour: there is no such setting" in run("agent", "--config", str(file)).output
