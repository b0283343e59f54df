"""Roles can be made from scripts and by hand, and it can be asked who may do what."""

from __future__ import annotations

import json
from typing import Any

import pytest

LIBRARY = """
modules:
  - {name: List files, folder: Demo/Files}
  - {name: Restart}
"""


@pytest.fixture
def world(run: Any, tmp_path: Any) -> None:
    (tmp_path / "library.yaml").write_text(LIBRARY)
    run("library", "import", str(tmp_path / "library.yaml"))
    for name in ("admin", "bob"):
        run("login", "add", name, "--password-stdin", stdin="pw\n")


@pytest.mark.usefixtures("world")
def test_a_role_is_made_granted_given_and_explained(run: Any) -> None:
    assert run("role", "add", "Helpdesk").stdout == "Added role Helpdesk.\n"
    granted = run("role", "grant", "Helpdesk", "read", "library/modules/demo/")
    assert granted.stdout == "Role Helpdesk: read on Library/Modules/Demo/.\n"
    assert run("role", "grant", "helpdesk", "MODIFY", "Jobs/Scheduling").exit_code == 0
    assert run("role", "give", "Helpdesk", "BOB").stdout == "Login BOB has the role Helpdesk.\n"

    shown = run("role", "show", "Helpdesk").stdout.splitlines()
    assert [line.split(maxsplit=1) for line in shown] == [
        ["RIGHT", "OBJECT"],
        ["read", "Library/Modules/Demo/"],
        ["modify", "Jobs/Scheduling"],
    ]
    assert [line.split() for line in run("role", "list").stdout.splitlines()] == [
        ["NAME", "BUILT_IN", "LOGINS"],
        ["Full", "Access", "yes", "admin"],
        ["Helpdesk", "no", "bob"],
        ["Read", "Only", "yes"],
    ]
    may = run("role", "explain", "bob", "read", "Library/Modules/Demo/Files/List files")
    assert (may.exit_code, may.stdout.splitlines()[0]) == (
        0,
        "yes: bob, read on Library/Modules/Demo/Files/List files.",
    )
    assert may.stdout.splitlines()[2].split() == ["Helpdesk", "read", "Library/Modules/Demo/"]
    may_not = run("role", "explain", "bob", "modify", "Library/Modules/Restart")
    assert (may_not.exit_code, may_not.stdout.splitlines()[0]) == (1, "no: bob, modify on Library/Modules/Restart.")
    assert may_not.stdout.splitlines()[2].split() == ["Helpdesk", "deny", "no", "grant"]

    assert run("role", "grant", "Helpdesk", "inherit", "Library/Modules/Demo/").exit_code == 0
    assert run("role", "explain", "bob", "read", "Library/Modules/Demo/Files/List files").exit_code == 1
    assert run("role", "take", "Helpdesk", "bob").stdout == "Login bob does not have the role Helpdesk.\n"
    assert run("role", "remove", "Helpdesk").stdout == "Removed role Helpdesk.\n"
    assert "Helpdesk" not in run("role", "list").stdout


@pytest.mark.usefixtures("world")
def test_json(run: Any) -> None:
    run("role", "add", "Helpdesk")
    run("role", "grant", "Helpdesk", "read", "Library/Modules")
    run("role", "give", "Helpdesk", "bob")
    assert json.loads(run("role", "list", "--json").stdout)[1] == {
        "name": "Helpdesk",
        "built_in": False,
        "logins": ["bob"],
    }
    assert json.loads(run("role", "show", "Helpdesk", "--json").stdout) == [
        {"right": "read", "object": "Library/Modules"}
    ]
    explained = run("role", "explain", "bob", "modify", "Library/Modules", "--json")
    assert explained.exit_code == 1
    assert json.loads(explained.stdout) == [{"role": "Helpdesk", "right": "read", "by": "Library/Modules"}]


@pytest.mark.usefixtures("world")
def test_a_disabled_login_may_nothing_and_that_is_said(run: Any) -> None:
    run("role", "give", "Full Access", "bob")
    run("login", "disable", "bob")
    said = run("role", "explain", "bob", "read", "Library/Modules")
    assert (said.exit_code, said.stdout.splitlines()[0]) == (
        1,
        "no: bob, read on Library/Modules. The login is disabled.",
    )


@pytest.mark.usefixtures("world")
def test_a_login_that_can_never_log_in_may_nothing_and_that_is_said(run: Any) -> None:
    run("login", "add", "blank", "--no-password", "--role", "full access")
    run("login", "add", "win", "--password-stdin", "--kind", "windows", "--role", "Full Access", stdin="pw\n")
    for name, why in (("blank", "has no password"), ("win", "is of the kind windows")):
        said = run("role", "explain", name, "read", "Library/Modules")
        assert (said.exit_code, said.stdout.splitlines()[0]) == (
            1,
            f"no: {name}, read on Library/Modules. The login {why}.",
        )


@pytest.mark.usefixtures("world")
def test_a_login_may_be_added_with_several_roles(run: Any) -> None:
    run("role", "add", "Helpdesk")
    added = run("login", "add", "eve", "--no-password", "--role", "read only", "--role", "HELPDESK")
    assert added.stdout == "Added login eve (Helpdesk, Read Only).\n"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "read only"], 4, "there is already a role read only"),
        (["grant", "Read Only", "modify", "Jobs/Scheduling"], 4, "built in"),
        (["remove", "Full Access"], 4, "built in"),
        (["grant", "Chief", "read", "Jobs/Scheduling"], 4, "no role Chief"),
        (["give", "Read Only", "nobody"], 4, "no login nobody"),
        (["take", "Full Access", "admin"], 4, "no enabled login would be left"),
        (["explain", "bob", "read", "Library/Modules/Nothing"], 2, "no module is called 'Nothing'"),
        (["explain", "bob", "read", "Nothing"], 2, "begins with no node"),
        (["explain", "bob", "deny", "Library/Modules"], 2, "'deny'"),
    ],
)
def test_what_cannot_be_is_refused(run: Any, arguments: list[str], code: int, message: str) -> None:
    result = run("role", *arguments)
    assert (result.exit_code, message in result.stderr) == (code, True), result.output
