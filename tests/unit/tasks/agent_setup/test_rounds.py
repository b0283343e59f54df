"""Rounds: whose word counts, and which computers are visited."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dispatcher.core.computers import AgentChange, FoundComputer
from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.tasks.agent_install import TYPE as INSTALL
from dispatcher.tasks.agent_setup import computers, order
from dispatcher.tasks.agent_uninstall import TYPE as UNINSTALL
from dispatcher.tasks.discovering.findings import Findings
from dispatcher.tasks.work import TaskFailed

AGENT = UUID("00000000-0000-4000-8000-00000000000a")


def note(workshop: Any, *found: FoundComputer) -> None:
    for one in found:
        Findings(workshop.work.parent).add(one)


def test_where_nothing_was_found_nothing_is_done(workshop: Any) -> None:
    assert workshop.do(INSTALL, {}) == "0 computers"
    assert workshop.do(UNINSTALL, {}) == "0 computers"


def test_a_computer_that_was_found_twice_is_visited_once(workshop: Any) -> None:
    note(
        workshop, FoundComputer("127.0.0.1", name="a"), FoundComputer("127.0.0.1", os="linux"), FoundComputer(name="B")
    )
    first, second = computers.found(workshop.work.parent)
    assert (first.address, first.name, first.os, second.name) == ("127.0.0.1", "a", "linux", "B")
    with pytest.raises(TaskFailed, match=r"^2 of 2 computers failed \(2 Access Denied\)$"):
        workshop.do(INSTALL, {})


def test_what_an_earlier_attempt_has_done_is_not_done_again(workshop: Any) -> None:
    note(workshop, FoundComputer("127.0.0.1"), FoundComputer("127.0.0.1", change=AgentChange.INSTALLED, agent_id=AGENT))
    assert workshop.do(INSTALL, {}) == "0 computers"
    with pytest.raises(TaskFailed, match="1 Access Denied"):  # that it was installed is no reason to leave it
        workshop.do(UNINSTALL, {})


def test_an_order_that_cannot_be_understood_is_refused(workshop: Any) -> None:
    workshop.inputs = [Input(order.INPUT, {"username": "x", "ssh_port": "red"})]
    with pytest.raises(InvalidValue, match="is no order"):
        workshop.do(INSTALL, {})


@pytest.mark.parametrize("name", ["credentials", "token"])
def test_secrets_do_not_stand_in_a_module(name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        INSTALL.Settings.model_validate({name: "very-secret"})


def test_a_module_of_the_library_brings_its_own_login(workshop: Any, capsys: Any) -> None:
    workshop.allowed = ["10.0.0.0/8"]
    note(workshop, FoundComputer("127.0.0.1"))
    settings = {"credentials": "$[Login]"}
    said = workshop.do(UNINSTALL, settings, PARAM_Login="root", PARAM_Login_PASSWORD="very-secret")
    assert said == "1 computer: 1 Refused by policy"  # with a login it comes that far
    assert "very-secret" not in capsys.readouterr().out
    with pytest.raises(InvalidValue, match="no credentials parameter"):
        workshop.do(UNINSTALL, settings, PARAM_Login="root")
