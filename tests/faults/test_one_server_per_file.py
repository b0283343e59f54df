"""A second server over a SQLite file is refused, in words, and so is a crew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_a_second_server_over_the_same_file_is_refused(
    start_server: Callable[..., Any], start: Callable[..., Any]
) -> None:
    server = start_server("--no-local-agent")
    listen = ("--listen", "127.0.0.1:0", "--agents", "127.0.0.1:0", "--no-local-agent")
    second = start("--datastore", server.datastore, "serve", *listen)
    assert second.popen.wait(30) != 0
    assert f"is served by another dispatcher already (process {server.process.popen.pid})" in "".join(second.lines)
    assert server.get("jobs?stage=All").status_code == 200


def test_several_processes_over_sqlite_are_refused(start: Callable[..., Any], tmp_path: Any) -> None:
    crew = start("--datastore", f"sqlite:///{tmp_path / 'test.db'}", "serve", "--processes", "2")
    assert crew.popen.wait(30) != 0
    assert "several processes need PostgreSQL or MariaDB" in "".join(crew.lines)
