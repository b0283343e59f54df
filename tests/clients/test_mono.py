"""Mono's svcutil and BasicHttpBinding, in C#, over a socket: the life of a job, by a proxy made from the live WSDL.

Of a WSDL in several documents this svcutil reads the schema that is imported first a second time, and when that
declares anything it says nothing but makes an empty proxy. BasicHttpBinding is SOAP 1.1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from client_story import CLIENTS, build, check, listen

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
LIBRARIES = "System.ServiceModel,System.Runtime.Serialization,System.Web.Extensions"


@pytest.mark.parametrize("wsdl", ["?wsdl", "?singleWsdl"])
def test_life_of_a_job(guarded_server: Any, tmp_path: Path, wsdl: str) -> None:
    build("svcutil", "-out:Service.cs", f"{guarded_server.service}/{wsdl}", folder=tmp_path)
    build("mcs", "-out:job.exe", f"-r:{LIBRARIES}", "Service.cs", str(CLIENTS / "mono" / "Job.cs"), folder=tmp_path)

    program = str(tmp_path / "job.exe")
    story = listen("mono", program, server=guarded_server, wsdl=wsdl, version="1.1")

    check(story, "1.1")
    assert "401(Unauthorized)" in story["refused"]
