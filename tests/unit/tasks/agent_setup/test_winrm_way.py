"""WinRM, as far as it goes without Windows: who is refused, who does not answer, and the texts of the scripts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dispatcher.core.accounts import Account
from dispatcher.tasks.agent_setup import winrm_way
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.ssh_client import LoginRefused
from dispatcher.tasks.work import TaskFailed

pytest.importorskip("pypsrp")
ACCOUNT = Account("CORP\\anna", "very-secret")


def log_in(port: int) -> None:
    with winrm_way.session("127.0.0.1", port, ACCOUNT, SetupOrder()):
        raise AssertionError("nobody can have logged in")


def test_who_is_refused_is_told_from_what_fails(web: Any, closed_port: int) -> None:
    web.answers["/wsman"] = (401, {"WWW-Authenticate": "Negotiate"}, b"")
    with pytest.raises(LoginRefused, match=r"^127\.0\.0\.1 refused CORP\\anna by password$"):
        log_in(web.port)
    with pytest.raises(TaskFailed, match=f"127.0.0.1 port {closed_port}") as caught:
        log_in(closed_port)
    assert not isinstance(caught.value, LoginRefused)
    assert "very-secret" not in str(caught.value)


def test_nothing_is_sent_before_it_is_encrypted(web: Any) -> None:
    web.answers["/wsman"] = (200, {}, b"")
    with pytest.raises((TaskFailed, LoginRefused)):
        log_in(web.port)
    assert web.requests
    for _, _, headers, body in web.requests:
        assert b"state.ps1" not in body
        assert b"CreateShell" not in body
        assert "Basic" not in headers.get("Authorization", "")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("state", {"Directory"}),
        ("install", {"Python", "Directory", "Archive", "Files", "Requirements", "Token"}),
        ("remove", {"Directory", "Proof"}),
    ],
)
def test_scripts_take_what_they_are_given(name: str, parameters: set[str]) -> None:
    text = winrm_way.script(name)
    head = re.search(r"^param\((.*)\)$", text, re.MULTILINE)
    assert head is not None
    assert set(re.findall(r"\$(\w+)", head[1])) == parameters
    assert text.count("{") == text.count("}")
    assert "-Encoding UTF8" not in text  # Windows PowerShell begins such files with a mark that JSON has not


def test_scripts_mean_the_same_by_what_several_have_and_remove_only_directories_that_are_marked() -> None:
    functions: dict[str, set[str]] = {}
    for name in ("state", "install", "remove"):
        text = winrm_way.script(name)
        for found in re.finditer(r"^function ([\w-]+).*?^}$", text, re.MULTILINE | re.DOTALL):
            functions.setdefault(found[1], set()).add(found[0])
            if found[1] == "Remove-Place":
                assert "if (-not (Test-Ours $Place)) { return }" in found[0]
                text = text.replace(found[0], "")
        assert "-Recurse" not in text
    assert functions.keys() >= {"Test-Ours", "Remove-Place", "Get-Proof"}
    assert {name: len(texts) for name, texts in functions.items()} == dict.fromkeys(functions, 1)


def test_the_token_is_input_of_one_program_and_nothing_else() -> None:
    uses = [line.strip() for line in winrm_way.script("install").splitlines() if "$Token" in line]
    assert len(uses) == 2
    assert uses[0].startswith("param(")
    assert uses[1] == "Invoke-Program 'it cannot enrol' $own $enrol $Token"
