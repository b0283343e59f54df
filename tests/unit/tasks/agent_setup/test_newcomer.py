"""Newcomers: what a new agent is told, and whom it can reach."""

from __future__ import annotations

import tomllib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limited
from hypothesis import strategies as st

from dispatcher.core.networks import Networks
from dispatcher.tasks.agent_setup import newcomer
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.work import TaskFailed, Tools


def tools(home: Path, **members: Any) -> Tools:
    networks = Networks.parse(["127.0.0.0/8"])
    common: dict[str, Any] = {"scratch": home, "work": home, "output_file": home / "o", "home": home, "contents": None}
    return Tools(values={}, networks=networks, allows_power=False, **common, **members)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:3163", "http://localhost:1", "https://[::1]:2", "http://a.localhost"]
)
def test_loopback_is_of_use_to_this_computer_only(tmp_path: Path, url: str) -> None:
    order = SetupOrder(dispatchers=[url])
    assert newcomer.dispatchers(order, tools(tmp_path), "127.0.0.1") == [url]
    with pytest.raises(TaskFailed, match=r"give the setting agents\.url an address"):
        newcomer.dispatchers(order, tools(tmp_path), "192.0.2.1")


def test_the_agents_own_dispatchers_serve_where_none_is_named(tmp_path: Path) -> None:
    own = ["http://127.0.0.1:3163", "https://jobs.example.com:3163"]
    assert newcomer.dispatchers(SetupOrder(), tools(tmp_path, dispatchers=own), "192.0.2.1") == own[1:]
    with pytest.raises(TaskFailed, match="none is known"):
        newcomer.dispatchers(SetupOrder(), tools(tmp_path), "192.0.2.1")


def test_certificates_and_the_policy_go_along_and_no_token(tmp_path: Path) -> None:
    for name in ("ca", "pin"):
        (tmp_path / name).write_text(f"the {name}")
    given_tools = tools(tmp_path, ca_file=str(tmp_path / "ca"), pin=str(tmp_path / "pin"))
    files = newcomer.files(SetupOrder(modules=["AV"]), given_tools, "pc", PureWindowsPath("C:\\Agent"), ["http://d"])
    assert {name: files[name] for name in files if name != "agent.toml"} == {"ca.pem": "the ca", "pin.pem": "the pin"}
    assert tomllib.loads(files["agent.toml"]) == {
        "dispatcher": ["http://d"],
        "name": "pc",
        "home": "C:\\Agent\\home",
        "fact": ["modules=AV", "module_av=true"],
        "allowed_target": ["127.0.0.0/8"],
        "log_level": "warning",
        "ca_file": "C:\\Agent\\ca.pem",
    }


def test_without_modules_there_are_no_facts(tmp_path: Path) -> None:
    files = newcomer.files(SetupOrder(), tools(tmp_path), "pc", PurePosixPath("/opt/a"), [])
    assert tomllib.loads(files["agent.toml"])["fact"] == []


@limited(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_settings_come_through_toml_as_they_are(one: str, several: list[str]) -> None:
    assert tomllib.loads(newcomer.toml({"one": one, "several": several})) == {"one": one, "several": several}
