"""Logins can be made from scripts and by hand, and no password is ever shown."""

from __future__ import annotations

import pytest


def test_first_login_is_added_with_full_access(run) -> None:
    result = run("login", "add", "admin", "--password-stdin", stdin="geheim\n")
    assert result.exit_code == 0, result.output
    assert result.stdout == "Added login admin (Full Access).\n"
    assert "geheim" not in result.output


def test_password_is_asked_for_twice_and_hidden(run) -> None:
    result = run("login", "add", "admin", stdin="geheim\ngeheim\n")
    assert result.exit_code == 0, result.output
    assert "Added login admin" in result.stdout
    assert "geheim" not in result.output


def test_interrupted_question_adds_nothing_and_is_no_failed_job(run) -> None:
    result = run("login", "add", "admin", stdin="")
    assert result.exit_code == 130
    assert "admin" not in run("login", "list").stdout


def test_list_shows_what_there_is(run) -> None:
    run("login", "add", "admin", "--password-stdin", stdin="pw\n")
    run("login", "add", "Ops", "--no-password", "--role", "Read Only", "--language", "en")
    run("login", "add", "win", "--no-password", "--kind", "windows")
    run("login", "disable", "OPS")
    lines = [line.split() for line in run("login", "list").stdout.splitlines()]
    assert lines == [
        ["NAME", "ROLES", "PASSWORD", "ENABLED", "KIND", "LANGUAGE"],
        ["admin", "Full", "Access", "yes", "yes", "dispatcher", "ja"],
        ["Ops", "Read", "Only", "no", "no", "dispatcher", "en"],
        ["win", "no", "yes", "windows", "ja"],
    ]
    run("login", "enable", "ops")
    assert run("login", "list").stdout.splitlines()[2].split()[4] == "yes"


def test_login_without_role_is_told_to_have_no_rights(run) -> None:
    run("login", "add", "admin", "--no-password")
    assert "it may do nothing" in run("login", "add", "guest", "--no-password").stdout


def test_password_can_be_changed(run) -> None:
    run("login", "add", "admin", "--no-password")
    result = run("login", "password", "admin", "--password-stdin", stdin="new\n")
    assert result.stdout == "Changed the password of admin.\n"
    assert run("login", "list").stdout.splitlines()[1].split()[3] == "yes"


def test_language_can_be_changed(run) -> None:
    run("login", "add", "admin", "--no-password")
    for language in ("en", "ja", "en"):
        result = run("login", "language", "ADMIN", language)
        assert (result.exit_code, result.stdout) == (0, f"Changed the language of ADMIN to {language}.\n")
        assert run("login", "list").stdout.split()[-1] == language
    assert run("audit").stdout.count("login.language") == 3


def test_tokens_can_be_ended(run) -> None:
    run("login", "add", "admin", "--no-password")
    result = run("login", "end-tokens", "ADMIN")
    assert (result.exit_code, result.stdout) == (0, "Ended 0 access tokens of ADMIN.\n")
    assert "login.tokens_ended" in run("audit").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["add", "admin", "--no-password"], 4, "there is already a login admin"),
        (["add", "b", "--no-password", "--role", "Chief"], 4, "no role Chief"),
        (["add", "a:b", "--no-password"], 2, "colon"),
        (["add", "b", "--password-stdin"], 2, "must not be empty"),
        (["add", "b", "--password-stdin", "--no-password"], 2, "exclude each other"),
        (["add", "b", "--language", "de"], 2, "'de'"),
        (["disable", "nobody"], 4, "no login nobody"),
        (["language", "nobody", "en"], 4, "no login nobody"),
        (["language", "admin", "de"], 2, "'de'"),
        (["end-tokens", "nobody"], 4, "no login nobody"),
    ],
)
def test_what_cannot_be_is_refused(run, arguments: list[str], code: int, message: str) -> None:
    run("login", "add", "admin", "--no-password")
    result = run("login", *arguments, stdin="\n")
    assert result.exit_code == code
    assert message in result.stderr
    assert len(run("login", "list").stdout.splitlines()) == 2
