"""Smoke: a server with the sample library does one job for a SOAP client. Run on every Python that is supported."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests
import zeep
from lxml import etree


def test_a_soap_client_has_a_demo_module_run_and_reads_its_result(start_server: Callable[..., Any]) -> None:
    server = start_server("--demo")
    server.wait_for_agents(1)
    service = zeep.Client(f"{server.service}/?singleWsdl").service
    (what,) = [what for what in service.GetModules() if what.Name == "Say hello"]
    (who,) = service.GetWho(agents=True, teams=False, online=True)
    parameters = service.GetInputParameters("Module", what.ID)
    parameters.JobParameters.JobParameter[0].Value1 = "smoke <&> é"

    job = service.ScheduleJob(
        {
            "Description": "Smoke",
            "Parameters": {"ParameterContainer": [parameters]},
            "What": {"JobWhat": [what]},
            "When": {"Immediate": True},
            "Who": {"JobWho": [who]},
        }
    )
    deadline = time.monotonic() + 30
    while service.GetJob(job.JobID).Status.Type in ("Scheduled", "Active") and time.monotonic() < deadline:
        time.sleep(0.1)

    assert service.GetJob(job.JobID).Status.Type == "Completed"
    document = service.ExportJobResults(job.JobID, True, True).decode("utf-16-le")
    root = etree.fromstring(document.encode("utf-16"))
    assert root.xpath("//task/results/agent/result/status/text()") == ["Completed"]
    assert "Hello, smoke <&> é!" in root.xpath("string(//task/results/agent/result)")
    assert requests.get(f"{server.url}/health/ready", timeout=10).status_code == 200
