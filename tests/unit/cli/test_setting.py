"""Settings and tokens can be read and written from scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from certificates import Authority
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


def test_a_name_that_no_dispatcher_has_is_told_and_kept(run) -> None:
    result = run("setting", "set", "webapi.state", "disabled", "--dispatcher", "esat")
    assert (result.exit_code, "No dispatcher esat is running" in result.stderr) == (0, True)
    assert run("setting", "get", "webapi.state", "--dispatcher", "esat").stdout == "DISABLED\n"
    assert run("setting", "set", "webapi.state", "GLOBAL", "--dispatcher", "esat").stderr == ""


def test_list_shows_what_holds_for_a_dispatcher(run) -> None:
    run("setting", "set", "webapi.tls", "DISABLED")
    run("setting", "set", "webapi.tls", "ENABLED", "--dispatcher", "east")
    for options, expected in (([], ("DISABLED", "environment")), (["--dispatcher", "east"], ("ENABLED", "dispatcher"))):
        listed = json.loads(run("setting", "list", "--json", *options).stdout)
        assert [(one["value"], one["from"]) for one in listed if one["name"] == "webapi.tls"] == [expected]


def test_a_certificate_is_looked_at_before_it_is_set(run, tmp_path: Path) -> None:
    certificate, key = Authority().issue(tmp_path, passphrase="x")
    assert run("setting", "set", "webapi.tls_certificate", str(certificate)).exit_code == 0
    for name, file, problem in (
        ("key", key, "passphrase"),
        ("certificate", key, "no certificate"),
        ("key", certificate, "no private key"),
    ):
        result = run("setting", "set", f"webapi.tls_{name}", str(file))
        assert (result.exit_code, problem in result.stderr) == (2, True), result.output
    assert run("setting", "get", "webapi.tls_key").stdout == "\n"
    result = run("setting", "set", "webapi.tls_key", "/not/here/key.pem")
    assert (result.exit_code, "cannot be read here" in result.stderr) == (0, True)


def test_what_keeps_a_server_from_starting_is_told(run, tmp_path: Path) -> None:
    certificate, key = Authority().issue(tmp_path / "one")
    _, other = Authority().issue(tmp_path / "other")
    for name, value, problem in (
        ("scheduling_port", "8443", ""),
        ("tls", "ENABLED", "without a certificate"),
        ("tls_certificate", str(certificate), "without a certificate"),
        ("tls_key", str(other), "is not the key of the certificate"),
        ("tls_key", str(key), ""),
    ):
        result = run("setting", "set", f"webapi.{name}", value)
        assert result.exit_code == 0
        assert ("would not start" in result.stderr, problem in result.stderr) == (bool(problem), True)


def test_the_port_of_the_agents_is_refused_where_it_is_known(run) -> None:
    for options in ([], ["--dispatcher", "here"]):
        result = run("setting", "set", "webapi.resource_port", "3163", *options, DISPATCHER_ENGINE__NAME="here")
        assert (result.exit_code, "3163 is the port that agents connect to" in result.stderr) == (2, True)
    assert run("setting", "get", "webapi.resource_port").stdout == "0\n"
    result = run("setting", "set", "webapi.resource_port", "3163", "--dispatcher", "elsewhere")
    assert (result.exit_code, "would not start" in result.stderr) == (0, True)
    assert run("setting", "set", "webapi.resource_port", "GLOBAL", "--dispatcher", "elsewhere").exit_code == 0


def test_what_would_be_unsafe_is_told(run, tmp_path: Path) -> None:
    off_loopback = tmp_path / "dispatcher.toml"
    off_loopback.write_text('[web]\nlisten = "0.0.0.0:8080"\n')

    def told(*arguments: str) -> str:
        result = run("setting", "set", *arguments, DISPATCHER_CONFIG=str(off_loopback))
        assert result.exit_code == 0
        return str(result.stderr)

    assert "would not start: there is no login" in told("webapi.scheduling_port", "8443")
    assert run("login", "add", "anna", "--no-password").exit_code == 0
    assert "in the clear: give --tls-cert" in told("webapi.scheduling_port", "0")
    assert "in the clear: set webapi.tls to CONFIGURED" in told("webapi.tls", "DISABLED")


SECRET = "canary/7+".ljust(60, "A")


@pytest.mark.parametrize("before", [[], ["--"]])
@pytest.mark.parametrize(
    "value",
    [
        [f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"],
        ["-----BEGIN", "PRIVATE", "KEY-----", SECRET, "-----END", "PRIVATE", "KEY-----"],  # without quotes in the shell
        [f"{SECRET}\n{SECRET}\n-----END PRIVATE KEY-----\n"],
        [f"/{SECRET}\n{SECRET}"],
        [f"/{SECRET}" * 20],
        [SECRET],
    ],
)
def test_a_key_in_the_place_of_its_file_is_not_shown(run, before: list[str], value: list[str]) -> None:
    for name in ("webapi.tls_key", "webapi.tls_certificate"):
        result = run("setting", "set", *before, name, *value)
        assert (result.exit_code, "not its content" in result.stderr) == (2, True), result.stderr
        assert "canary" not in result.stdout + result.stderr


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
