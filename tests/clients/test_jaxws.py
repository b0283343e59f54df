"""JAX-WS, in Java, over a socket: the life of a job, by proxies that wsimport makes from the live WSDL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from client_story import CLIENTS, build, check, listen

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
#: It names all others that it needs.
RUNTIME = "/usr/share/java/jaxws-rt.jar"


@pytest.mark.parametrize(("wsdl", "version"), [("?wsdl", "1.1"), ("?singleWsdl", "1.2")])
def test_life_of_a_job(guarded_server: Any, tmp_path: Path, wsdl: str, version: str) -> None:
    # One package for all namespaces, as most call it: no two types may have the same name.
    options = ["-extension", "-Xnocompile", "-p", "client", "-s", "."]
    build("wsimport", *options, f"{guarded_server.service}/{wsdl}", folder=tmp_path)
    sources = [*sorted(str(path) for path in tmp_path.glob("client/*.java")), str(CLIENTS / "java" / "Story.java")]
    build("javac", "-encoding", "utf-8", "-nowarn", "-cp", RUNTIME, "-d", ".", *sources, folder=tmp_path)

    command = ["java", "-cp", f"{RUNTIME}:{tmp_path}", "Story"]
    story = listen(*command, server=guarded_server, wsdl=wsdl, version=version, LC_ALL="C.UTF-8")

    check(story, version)
    assert "401: Unauthorized" in story["refused"]


def test_proxy_without_options_has_a_package_for_each_namespace(guarded_server: Any, tmp_path: Path) -> None:
    build("wsimport", "-Xnocompile", "-s", ".", f"{guarded_server.service}/?wsdl", folder=tmp_path)

    assert (tmp_path / "org" / "tempuri" / "ISchedulingService.java").is_file()
