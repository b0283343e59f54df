"""Raw HTTP, over a socket, as shells and scripts speak it: the same life of a job in XML, in JSON and in SOAP."""

from __future__ import annotations

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from client_world import COUNT, LOGIN, MISTAKEN, PASSWORD, SLEEP, document_of, wait_until
from lxml import etree

NAMES = {"w": "http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"}
JSON = {"Content-Type": "application/json"}
XML = {"Content-Type": "application/xml"}
SOAP = {
    "Content-Type": "text/xml; charset=utf-8",
    "SOAPAction": '"http://tempuri.org/ISchedulingService/ExportJobResults"',
}


def test_json_from_schedule_to_result(server: Any, agent: str) -> None:
    # The body of VDI-1, byte for byte as odd: a trailing comma, blanks around ids, booleans as strings.
    body = """{"Description":"json é","When":{"Immediate":"true","IsLocalTime":"true","UseWakeOnLAN":"false"},
     "What":[{"ID":" %s ","Type":0,"Name":"any text"}],"Who":[{"ID":"%s","Type":0,}],
     "Parameters":[{"Identifier":"","TaskContainerGuid":"%s","TaskContainerName":"any","Type":0,
       "JobParameters":[{"Name":"Text","Value1":12.50}]}],"ScheduleInParallel":"true"}"""
    content = (body % (COUNT, agent, COUNT)).encode("latin-1")

    posted = requests.post(f"{server.service}/jobs", data=content, headers=JSON, timeout=30)
    job_id = posted.json()["JobID"]
    wait_until(lambda: str(server.get(f"jobs/{job_id}").json()["Status"]["Type"]), "4")
    listed = requests.get(f"{server.service}/JOBS/?Stage=all&PageSize=500", headers=JSON, timeout=30).json()
    results = requests.get(
        f"{server.service}/jobs/{job_id.strip('{}').lower()}/results?overview=True&detailed=True",
        headers=JSON,
        timeout=30,
    )

    assert (posted.status_code, posted.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert posted.json()["Description"] == "json é"
    assert r"\/Date(" in posted.text
    assert job_id in [job["JobID"] for job in listed["Items"]]
    root = document_of(bytes(results.json()["Xml"]))
    assert root.xpath("//task/results/agent/result/status/text()") == ["Completed"]
    assert "<12.50>" in root.xpath("string(//task/results/agent/result)")


def test_json_abort(server: Any, agent: str) -> None:
    job_id = server.schedule(SLEEP, [agent])
    url = f"{server.service}/jobs/{job_id}"
    wait_until(lambda: str(server.get(f"jobs/{job_id}").json()["Status"]["Type"]), "1")
    status = server.get(f"jobs/{job_id}").json()["Status"] | {"Type": "2"}

    changed = requests.put(url, data=json.dumps(status).replace("/", r"\/"), headers=JSON, timeout=30)

    assert changed.status_code == 200
    wait_until(lambda: str(server.get(f"jobs/{job_id}").json()["Status"]["Type"]), "3")


def test_xml_round_trip_from_one_job_to_the_next(server: Any, agent: str) -> None:
    first = server.schedule(COUNT, [agent], Description="xml é")

    text = requests.get(f"{server.service}/jobs/{first}", timeout=30)
    again = requests.post(f"{server.service}/jobs", data=text.content, headers=XML, timeout=30)

    assert text.headers["Content-Type"] == "application/xml; charset=utf-8"
    assert not text.text.startswith("<?xml")
    root = etree.fromstring(again.content)
    second = root.xpath("string(w:JobID)", namespaces=NAMES)
    assert second not in ("", first)
    assert root.xpath("string(w:Description)", namespaces=NAMES) == "xml é"
    wait_until(lambda: str(server.get(f"jobs/{second}").json()["Status"]["Type"]), "4")
    results = requests.get(f"{server.service}/jobs/{second}/results?detailed=1", timeout=30)
    document = document_of(etree.fromstring(results.content).xpath("string(w:Xml)", namespaces=NAMES))
    assert document.xpath("//task/results/agent/result/status/text()") == ["Completed"]


def test_xml_abort(server: Any, agent: str) -> None:
    job_id = server.schedule(SLEEP, [agent])
    wait_until(lambda: str(server.get(f"jobs/{job_id}").json()["Status"]["Type"]), "1")

    changed = requests.put(
        f"{server.service}/jobs/{job_id}", data="<JobStatus><Type>Aborting</Type></JobStatus>", headers=XML, timeout=30
    )

    assert changed.status_code == 200
    wait_until(lambda: str(server.get(f"jobs/{job_id}").json()["Status"]["Type"]), "3")


@pytest.mark.parametrize("path", ["/soap", "/basic", "/", "", "/SOAP/"])
def test_soap_envelope_of_the_contract(server: Any, agent: str, path: str) -> None:
    job_id = server.schedule(COUNT, [agent])
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ExportJobResults xmlns="urn:any">'
        f"<jobId>{job_id}</jobId><includeOverview>true</includeOverview></ExportJobResults></s:Body></s:Envelope>"
    )

    answer = requests.post(server.service + path, data=envelope, headers=SOAP, timeout=30)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    (content,) = etree.fromstring(answer.content).xpath("//w:Xml/text()", namespaces=NAMES)
    assert document_of(content).tag == "masterjobresults"


@pytest.mark.parametrize("headers", [JSON, XML])
def test_errors_are_pages(server: Any, headers: dict[str, str]) -> None:
    unknown = requests.get(f"{server.service}/jobs/{COUNT}", headers=headers, timeout=30)
    malformed = requests.post(f"{server.service}/jobs", data=b"<{", headers=headers, timeout=30)

    assert (unknown.status_code, malformed.status_code) == (404, 400)
    for answer in (unknown, malformed):
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "Request Error" in answer.text


def test_challenge_keeps_the_connection_and_takes_the_body_again(guarded_server: Any) -> None:
    # PowerShell posts without credentials first, waits for the challenge, and posts the body again.
    connection = http.client.HTTPConnection(urlsplit(guarded_server.url).netloc, timeout=30)
    path = f"{urlsplit(guarded_server.service).path}/jobs"
    credentials = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()

    connection.request("POST", path, b'{"What": []}' + b" " * 100_000, JSON)
    challenge = connection.getresponse()
    challenge.read()
    socket_of_the_challenge = connection.sock
    connection.request("POST", path, b'{"What": []}', {**JSON, "Authorization": f"Basic {credentials}"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()

    assert (challenge.status, challenge.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert socket_of_the_challenge is not None
    assert answer.status == 400
    assert b"What: names nothing to run" in text


@pytest.mark.parametrize("path", ["help", "jobs", "what/modules", "soap", ""])
def test_everything_but_descriptions_needs_the_login(guarded_server: Any, path: str) -> None:
    answer = requests.get(f"{guarded_server.service}/{path}", timeout=30)

    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize("auth", [(MISTAKEN.encode(), b"wrong"), (b"", b""), (b"nobody", PASSWORD.encode())])
def test_wrong_login_is_challenged_again(guarded_server: Any, auth: tuple[bytes, bytes]) -> None:
    answer = requests.get(f"{guarded_server.service}/jobs", auth=auth, timeout=30)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_health_and_descriptions_need_no_login(guarded_server: Any) -> None:
    for url in (
        "/health/live",
        "/health/ready",
        "/Dispatcher/SchedulingService/?wsdl",
        "/Dispatcher/SchedulingService?xsd=xsd0",
    ):
        assert requests.get(guarded_server.url + url, timeout=30).status_code == 200
