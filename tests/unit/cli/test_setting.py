"""Settings and tokens can be read and written from scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dispatcher.services.setting_kinds import REGISTRY


def test_list_shows_every_setting_with_its_origin(run) -> None:
    run("setting", "set", "agents.parallel_runs", "3")
    lines = {line.split()[0]: line for line in run("setting", "list").stdout.splitlines()[1:]}
    assert set(lines) == set(REGISTRY)
    assert lines["agents.parallel_runs"].split()[1:3] == ["3", "environment"]
    assert lines["jobs.launch_timeout_s"].split()[1:4] == ["604800", "seconds", "default"]


def test_get_prints_the_value_and_nothing_else(run) -> None:
    assert run("setting", "get", "webapi.state").stdout == "ENABLED\n"
    result = run("setting", "set", "webapi.state", "disabled", "--dispatcher", "east")
    assert result.stdout == "webapi.state is now DISABLED (from dispatcher).\n"
    assert run("setting", "get", "webapi.state").stdout == "ENABLED\n"
    assert run("setting", "get", "webapi.state", "--dispatcher", "east").stdout == "DISABLED\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["get", "webapi.colour"], 4),
        (["set", "webapi.colour", "red"], 4),
        (["set", "agents.parallel_runs", "many"], 2),
        (["set", "agents.parallel_runs", "3", "--dispatcher", "east"], 2),
    ],
)
def test_what_cannot_be_is_refused(run, arguments: list[str], code: int) -> None:
    result = run("setting", *arguments)
    assert result.exit_code == code
    assert arguments[1] in result.stderr


def test_negative_number_is_a_value_and_no_option(run) -> None:
    result = run("setting", "set", "agents.parallel_runs", "-1")
    assert result.exit_code == 2
    assert "agents.parallel_runs: '-1' is no whole number from 1 to 1000" in result.stderr
    assert "No such option" in run("setting", "set", "webapi.realm", "--dispatchr").stderr
    assert run("setting", "set", "webapi.realm", "-1", "--dispatchr", "east").exit_code == 2
    assert run("setting", "get", "webapi.realm").stdout == "Automation\n"


def test_token_is_printed_alone_and_stored_hashed(run, datastore_file: Path) -> None:
    result = run("token", "enrol", "--once", "--hours", "2")
    assert result.exit_code == 0, result.output
    token = result.stdout.strip()
    assert len(token) >= 43
    engine = create_engine(f"sqlite:///{datastore_file}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT once, used_at FROM token")).all() == [(1, None)]
    engine.dispose()
    assert token.encode() not in datastore_file.read_bytes()


def test_token_lives_a_year_at_most(run) -> None:
    assert run("token", "enrol", "--hours", "9000").exit_code == 2
