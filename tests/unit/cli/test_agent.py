"""The agent command: options, the file that may hold them, and what is handed to the agent."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dispatcher import logs
from dispatcher.agents import runner
from dispatcher.cli.agent import agent
from dispatcher.cli.agent_settings import names_of
from dispatcher.core.networks import PRIVATE

SAMPLE = Path(__file__).parents[3] / "conf" / "agent.toml"
SETTING = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
URL = "http://127.0.0.1:3163"


@pytest.fixture
def log_settings(monkeypatch: Any) -> list[tuple[str, str]]:
    """Level and format of the log, of each time that it was set up."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(logs, "configure", lambda level, format: found.append((level, format)))  # noqa: A006
    return found


@pytest.fixture
def run(monkeypatch: Any, tmp_path: Path, log_settings: Any) -> Any:
    """Run the command; give the settings that the agent gets, or what is said instead."""
    given: list[runner.AgentSettings] = []
    monkeypatch.setattr(runner, "run", lambda settings, now: given.append(settings) or 0)

    def run(*arguments: str, file: str | None = None) -> Any:
        options = list(arguments)
        if file is not None:
            (tmp_path / "agent.toml").write_text(file)
            options += ["--config", str(tmp_path / "agent.toml")]
        result = CliRunner().invoke(agent, options)
        return given.pop() if given else result.output

    return run


def test_defaults_allow_least(run: Any) -> None:
    settings = run("--dispatcher", URL)
    assert list(settings.allowed_targets) == list(PRIVATE)
    assert (settings.allow_power, settings.cache_bytes) == (False, 1 << 30)


def test_options_win_over_the_file(run: Any) -> None:
    file = f'dispatcher = ["{URL}"]\nallow_power = true\nslots = 5\nallowed_target = ["10.0.0.0/8"]\nfact = ["a=b"]'
    settings = run("--slots", "3", file=file)
    assert (settings.dispatchers, settings.allow_power, settings.slots) == ([URL], True, 3)
    assert (list(settings.allowed_targets), settings.facts) == (["10.0.0.0/8"], {"a": "b"})
    assert list(run("--allowed-target", "none", file=file).allowed_targets) == []


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("colour = 1", "colour: there is no such setting"),
        ("local = true", "local: there is no such setting"),
        ("dispatcher = 'x'", "dispatcher: must be a list"),
        ("slots = [1]", "slots: must be one value"),
        ("slots = 100", "100 is not in the range"),
        ("slots = ", "Invalid value"),
    ],
)
def test_wrong_file_says_where(run: Any, file: str, problem: str) -> None:
    assert problem in run("--dispatcher", URL, file=file)


def test_sample_holds_every_setting_with_its_default(run: Any) -> None:
    text = SAMPLE.read_text("utf-8")
    documented = tomllib.loads(SETTING.sub("", text))
    assert set(documented) == set(names_of(agent))
    for name, option in names_of(agent).items():
        default = option.get_default(click.Context(agent))
        if isinstance(default, bool | int | tuple) and default:
            assert documented[name] == (list(default) if isinstance(default, tuple) else default), name
    assert run("--dispatcher", URL, file=text) == run("--dispatcher", URL)


def test_logs_what_it_is_told_to(run: Any, log_settings: Any) -> None:
    run("--dispatcher", URL)
    run("--dispatcher", URL, "--log-level", "warning", file='log_format = "json"')
    assert log_settings == [("info", "console"), ("warning", "json")]
