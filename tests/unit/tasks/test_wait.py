"""Waits: each ends when what it waits for has come, and not before."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.wait import TYPE, endpoint
from dispatcher.tasks.work import TaskFailed


def waited(workshop: Any, settings: dict[str, Any], **values: str) -> float:
    started = time.monotonic()
    workshop.do(TYPE, {"every_s": 0.05, "most_s": 10, **settings}, **values)
    return time.monotonic() - started


def test_seconds(workshop: Any) -> None:
    assert 0.2 <= waited(workshop, {"seconds": "0.2"}) < 2


def test_until_a_moment(workshop: Any) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=0.3)
    waited(workshop, {"until": moment.isoformat()})
    assert moment <= datetime.now(UTC) < moment + timedelta(seconds=2)
    assert waited(workshop, {"until": "2020-01-01T00:00:00+02:00"}) < 0.2


def test_until_a_port_answers(workshop: Any) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        timer = threading.Timer(0.3, listener.listen)
        timer.start()
        assert waited(workshop, {"tcp": "localhost:$[Port]"}, PARAM_Port=str(listener.getsockname()[1])) >= 0.3
        timer.join()


def test_until_a_file_is_there(workshop: Any) -> None:
    timer = threading.Timer(0.3, (workshop.work / "ready").touch)
    timer.start()
    assert waited(workshop, {"file": "$[Name]"}, PARAM_Name="ready") >= 0.3
    timer.join()


def test_until_a_process_is_gone(workshop: Any) -> None:
    with subprocess.Popen(["sleep", "0.3"]) as process:
        assert waited(workshop, {"process_gone": str(process.pid)}) >= 0.2
    assert waited(workshop, {"process_gone": "no such program"}) < 2


def test_what_does_not_come_in_time_fails_the_task(workshop: Any) -> None:
    for settings in ({"file": "never"}, {"process_gone": str(os.getpid())}):
        with pytest.raises(TaskFailed, match=r"not so after 0\.2 s"):
            waited(workshop, {**settings, "most_s": 0.2})


def test_port_that_may_not_be_called_is_not_waited_for(workshop: Any) -> None:
    with pytest.raises(RefusedByPolicy):
        waited(workshop, {"tcp": "8.8.8.8:53"})


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("a.b:1", "a.b", 1), ("127.0.0.1:65535", "127.0.0.1", 65535), ("[::1]:80", "::1", 80)],
)
def test_endpoint(text: str, host: str, port: int) -> None:
    assert endpoint(text) == (host, port)


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:0", "a:65536", "::1:80", "a:1:2", "[::1]", "a:é"])
def test_no_endpoint(text: str) -> None:
    with pytest.raises(InvalidValue, match="HOST:PORT"):
        endpoint(text)


@pytest.mark.parametrize(
    "settings",
    [{}, {"seconds": 1, "file": "x"}, {"seconds": -1}, {"until": "2020-01-01T00:00:00"}, {"file": ""}, {"every_s": 1}],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPE.Settings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "summary"),
    [
        ({"seconds": 90}, "1 min 30 s"),
        ({"until": "2026-01-01T00:00:00Z"}, "until 2026-01-01T00:00:00+00:00"),
        ({"tcp": "a:1"}, "for port a:1"),
        ({"file": "x"}, "for file x"),
        ({"process_gone": "vi"}, "until gone: vi"),
    ],
)
def test_summary(settings: dict[str, Any], summary: str) -> None:
    assert TYPE.summary(TYPE.Settings.model_validate(settings)) == summary
