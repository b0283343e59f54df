"""Perl's SOAP::Lite, over a socket: the life of a job, in both versions of SOAP.

It waits for the challenge to log in. Of a WSDL it takes addresses and actions; of one with its types inside it would
take the members, too, and then refuses to send any that has members of its own.
"""

from __future__ import annotations

from typing import Any

import pytest
from client_story import CLIENTS, check, listen, need


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_life_of_a_job(guarded_server: Any, version: str) -> None:
    need("SOAP::Lite", "perl", "-MSOAP::Lite", "-e", "1")

    story = listen("perl", str(CLIENTS / "perl" / "job.pl"), server=guarded_server, wsdl="?wsdl", version=version)

    check(story, version)
    assert story["refused"].startswith("401 Unauthorized")
