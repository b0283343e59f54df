"""Node's ``soap``, over a socket: the life of a job, from both forms of the WSDL, in both versions of SOAP.

``.ci/run`` installs it where it is looked for here, in the versions that its lock file pins.
"""

from __future__ import annotations

from typing import Any

import pytest
from client_story import CLIENTS, check, listen, need

MODULES = str(CLIENTS.parents[1] / ".run" / "clients" / "node" / "node_modules")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("wsdl", ["?wsdl", "?singleWsdl"])
def test_life_of_a_job(guarded_server: Any, wsdl: str, version: str) -> None:
    need("node's soap", "node", "-e", "require('soap')", NODE_PATH=MODULES)

    script = str(CLIENTS / "node" / "job.js")
    story = listen("node", script, server=guarded_server, wsdl=wsdl, version=version, NODE_PATH=MODULES)

    check(story, version)
    assert story["refused"] == 401
    assert story["types"] == ["boolean", "boolean", "Date"]
