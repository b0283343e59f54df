"""The audit trail can be read by people and by scripts."""

from __future__ import annotations

import json

import pytest


@pytest.fixture(autouse=True)
def changes(run) -> None:
    run("login", "add", "ann", "--password-stdin", stdin="pass word\n")
    run("setting", "set", "webapi.realm", "Jobs")
    run("setting", "set", "webapi.realm", "Work")


def test_table_has_the_newest_first_with_old_and_new(run) -> None:
    result = run("audit")
    assert result.exit_code == 0, result.output
    head, first, *_, last = result.stdout.splitlines()
    assert head.split() == ["NUMBER", "AT", "LOGIN", "ADDRESS", "ACTION", "NAME", "OLD", "NEW"]
    assert first.split()[3:] == [
        *("system", "setting.changed", "webapi.realm"),
        *('{"value":', '"Jobs"}', '{"value":', '"Work"}'),
    ]
    assert "login.added" in last
    assert "pass word" not in result.stdout


def test_json_has_all_of_it(run) -> None:
    (entry,) = json.loads(run("audit", "--json", "--limit", "1").stdout)
    assert entry.pop("at").endswith("+00:00")
    assert entry.pop("number") > 0
    assert entry == {
        "login": "system",
        "address": "",
        "action": "setting.changed",
        "kind": "setting",
        "id": None,
        "name": "webapi.realm",
        "old": {"value": "Jobs"},
        "new": {"value": "Work"},
    }
    (login,) = json.loads(run("audit", "--json", "--action", "login").stdout)
    assert len(login["id"]) == 36


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--login", "system"], 3),
        (["--login", "ann"], 0),
        (["--object", "webapi.realm"], 2),
        (["--action", "login.added"], 1),
        (["--action", "login"], 1),
        (["--since", "2020-01-01"], 3),
        (["--since", "2999-01-01T00:00:00+0200"], 0),
        (["--limit", "2"], 2),
    ],
)
def test_options_choose(run, options: list[str], count: int) -> None:
    assert len(json.loads(run("audit", "--json", *options).stdout)) == count


def test_pages_go_on_from_the_last_number(run) -> None:
    newest, older = json.loads(run("audit", "--json", "--limit", "2").stdout)
    rest = json.loads(run("audit", "--json", "--before", str(newest["number"])).stdout)
    assert [entry["number"] for entry in rest][:1] == [older["number"]]
    assert len(rest) == 2


@pytest.mark.parametrize("options", [["--since", "yesterday"], ["--limit", "0"], ["--limit", "1001"]])
def test_what_cannot_be_is_refused(run, options: list[str]) -> None:
    assert run("audit", *options).exit_code == 2
