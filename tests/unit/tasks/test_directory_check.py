"""Directory checks: what a domain controller does, says and is known by, item by item."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from domain_controller import DomainController

from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.directory_check import TYPE
from dispatcher.tasks.work import TaskFailed


@pytest.fixture
def controller() -> Iterator[DomainController]:
    one = DomainController()
    yield one
    one.stop()


@pytest.fixture
def check(workshop: Any, controller: DomainController) -> Callable[..., dict[str, tuple[str, str]]]:
    """Check the controller; return what was found by item, and under "" how the task ended."""

    def check(**rest: Any) -> dict[str, tuple[str, str]]:
        ports = {"LDAP": controller.ldap_port, **rest.pop("ports", {})}
        settings = {"host": "127.0.0.1", "ports": ports, "dns_port": controller.dns_port, "output": "R", "timeout_s": 2}
        try:
            ended = ("completed", workshop.do(TYPE, settings | rest))
        except TaskFailed as error:
            ended = ("failed", error.message)
        report = json.loads(workshop.outputs["R"])
        return {"": ended, **{one["item"]: (one["state"], one["detail"]) for one in report}}

    return check


def test_a_sound_controller(check: Any, controller: DomainController, capsysbinary: Any) -> None:
    found = check()
    assert found[""] == ("completed", f"{len(found) - 1} items are as they should be")
    assert found["directory"] == ("ok", "speaks LDAP; dc1.ad.example")
    assert found["domain"] == ("ok", "ad.example")
    assert found["synchronised"] == ("ok", "true")
    assert found["global catalogue"] == ("ok", "false")
    assert found["clock"][0] == "ok"
    assert found["record of Kerberos"] == ("ok", "dc1.ad.example:389")
    assert b"ok      domain: ad.example\n" in capsysbinary.readouterr().out


def test_what_is_wrong_is_named(check: Any, controller: DomainController) -> None:
    controller.said["isSynchronized"] = "FALSE"
    controller.clock_is_off = timedelta(minutes=6)
    del controller.records["_kpasswd._tcp.ad.example."]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = check(ports={"SMB": port})
    assert {item for item, (state, _) in found.items() if item and state == "failed"} == {
        "synchronised",
        "clock",
        "record of password changes",
        f"port {port} (SMB)",
    }
    assert found[""][1].startswith("4 of ")
    assert found["record of password changes"][1] == "_kpasswd._tcp.ad.example: NXDOMAIN"


def test_without_a_directory_the_rest_is_checked(check: Any, controller: DomainController) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    found = check(ports={"LDAP": port}, domain="ad.example.")
    assert found["directory"][0] == "failed"
    assert found["record of LDAP servers"] == ("ok", "dc1.ad.example:389")
    assert check(ports={"LDAP": port})["name service"][0] == "unknown"


def test_addresses_that_are_not_allowed_are_not_called(workshop: Any, controller: DomainController) -> None:
    workshop.allowed = ["10.0.0.0/8"]
    with pytest.raises(RefusedByPolicy):
        workshop.do(TYPE, {"host": "127.0.0.1"})
    workshop.allowed = ["127.0.0.1"]
    ports = {"LDAP": controller.ldap_port}
    with pytest.raises(RefusedByPolicy):
        workshop.do(TYPE, {"host": "127.0.0.1", "ports": ports, "nameserver": "192.0.2.1"})
    with pytest.raises(TaskFailed, match="is empty"):
        workshop.do(TYPE, {}, FACT_address="")
