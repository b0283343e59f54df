"""gSOAP, in C++, over a socket: the life of a job, by proxies that it makes from the live WSDL."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from client_story import CLIENTS, build, check, listen

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
SOURCE = CLIENTS / "gsoap"


@pytest.mark.parametrize(("wsdl", "version"), [("?wsdl", "1.1"), ("?singleWsdl", "1.2")])
def test_life_of_a_job(guarded_server: Any, tmp_path: Path, wsdl: str, version: str) -> None:
    address = f"{guarded_server.service}/{wsdl}"
    build("wsdl2h", "-t", str(SOURCE / "names.dat"), "-o", "service.h", address, folder=tmp_path)
    build("soapcpp2", "-j", "-C", "-x", "-L", {"1.1": "-1", "1.2": "-2"}[version], "service.h", folder=tmp_path)
    sources = [*sorted(path.name for path in tmp_path.glob("*.cpp")), str(SOURCE / "job.cpp")]
    build("g++", "-std=c++17", "-O0", "-w", "-I.", *sources, "-lgsoap++", "-o", "job", folder=tmp_path)

    story = listen(str(tmp_path / "job"), server=guarded_server, wsdl=wsdl, version=version)

    story["result"] = base64.b64decode(story["base64"]).decode("utf-16-le")
    check(story, version)
    assert story["refused"] == 401
