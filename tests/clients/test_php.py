"""PHP's SoapClient, over a socket: the life of a job, from both forms of the WSDL, in both versions of SOAP."""

from __future__ import annotations

from typing import Any

import pytest
from client_story import CLIENTS, check, listen, need


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("wsdl", ["?wsdl", "?singleWsdl"])
def test_life_of_a_job(guarded_server: Any, wsdl: str, version: str) -> None:
    need("PHP with its extension soap", "php", "-r", "exit((int) !extension_loaded('soap'));")

    story = listen("php", str(CLIENTS / "php" / "job.php"), server=guarded_server, wsdl=wsdl, version=version)

    check(story, version)
    assert story["refused"] == "Unauthorized"
