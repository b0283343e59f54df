"""The registry: every type is found by its name, and nothing else is."""

from __future__ import annotations

import pytest

from dispatcher.core.errors import BadRequest
from dispatcher.tasks.registry import task_type, task_types

TYPES = [
    "agent_install",
    "agent_uninstall",
    "ansible_playbook",
    "command",
    "directory_check",
    "discovery",
    "download",
    "files",
    "http_request",
    "notice",
    "package",
    "power",
    "query",
    "restart_if_needed",
    "script",
    "set_output",
    "ssh_command",
    "ssh_fetch",
    "wait",
    "wake_on_lan",
]


def test_every_type_is_found_under_the_name_of_its_module() -> None:
    assert [kind.name for kind in task_types()] == TYPES
    for kind in task_types():
        assert task_type(kind.name) is kind
        assert type(kind).__module__ == f"dispatcher.tasks.{kind.name}"
        assert kind.Settings.model_config["extra"] == "forbid"


@pytest.mark.parametrize("name", ["", "registry", "types", "Command", "os", "../command", "command.x", "a" * 100, "é"])
def test_anything_else_is_no_type(name: str) -> None:
    with pytest.raises(BadRequest, match="no task type"):
        task_type(name)
