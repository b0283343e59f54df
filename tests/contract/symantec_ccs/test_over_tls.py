"""The seed's own script against a whole server, at the listener that CCS has to itself: over TLS, with ``requests``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from ccs_world import LIBRARY, STANDARD, UNIX
from certificates import Authority
from real_server import Server, dispatcher

AUTHORITY = Authority()
JSON = {"Content-Type": "application/json"}
_OVER = {4, 5, 6, 7}


@pytest.fixture
def base(start_server: Callable[..., Server], tmp_path: Path) -> str:
    """Return the address of the API at its own listener. The others have no TLS."""
    certificate, key = AUTHORITY.issue(tmp_path / "tls")
    library = tmp_path / "library.yaml"
    library.write_text(LIBRARY, encoding="utf-8")
    datastore = f"sqlite:///{tmp_path / 'server.db'}"
    dispatcher("library", "import", str(library), datastore=datastore)
    dispatcher("login", "add", "administrator", "--password-stdin", datastore=datastore, given="pass@123")
    server = start_server(
        DISPATCHER_LISTENERS__CCS="127.0.0.1:0",
        DISPATCHER_LISTENERS__CCS_TLS_CERT=str(certificate),
        DISPATCHER_LISTENERS__CCS_TLS_KEY=str(key),
    )
    assert server.url.startswith("http://")
    server.wait_for_agents(1, auth=("administrator", "pass@123"))
    [address] = server.process.wait_for(re.compile(r"(https://127\.0\.0\.1:[0-9]+)")).groups()
    return f"{address}/ccs/api/v1"


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    """Return the file of the authority whose certificates are trusted."""
    return str(AUTHORITY.write(tmp_path / "ca.pem"))


def token(base: str, **options: Any) -> dict[str, str]:
    """Log in as the seed's script does; return the headers of the calls that follow."""
    payload = "grant_type=password&username=" + "domain1\\administrator" + "&password=" + "cGFzc0AxMjM=" + ""
    answer = requests.request("POST", f"{base}/oauth/tokens", data=payload, headers=JSON, timeout=30, **options)
    assert answer.status_code == 200, answer.text
    return {"Authorization": "Bearer " + answer.json()["access_token"], **JSON}


def chunks(text: str) -> Iterator[bytes]:
    """Give *text* in pieces, which ``requests`` sends as such."""
    for start in range(0, len(text), 7):
        yield text[start : start + 7].encode()


def test_the_script_of_the_seed(base: str, trusted: str) -> None:
    headers = token(base, verify=trusted)

    def call(method: str, path: str, data: Any = None, **query: str) -> requests.Response:
        return requests.request(
            method, f"{base}{path}", data=data, headers=headers, params=query, verify=trusted, timeout=30
        )

    [asset] = call("GET", "/Assets").json()["assetDataList"]
    details = {"AssetsResolutionInfo": [{"Id": asset["Id"], "Type": UNIX}], "JobName": "J", "Standards": [STANDARD]}
    job = call("POST", "/jobs/", chunks(json.dumps({"JobDetails": details, "JobType": "CollectionJob"}))).json()

    answer = call("POST", f"//jobs/{job['JobID']}", '{\r\n"Operation":"execute"\r\n}\r\n')
    assert (answer.status_code, answer.json()["Status"]) == (200, 2)
    run = _ended(call, job["JobID"])
    assert (run["JobRunID"], run["Status"]) == (answer.json()["JobRunID"], 6)  # one of its two checks fails

    answer = call("POST", f"/jobs/{run['JobRunID']}", '{\r\n"Operation":"abort"\r\n}\r\n')
    assert (answer.status_code, list(answer.json())) == (400, ["Message"])
    result = call("POST", "/Results", json.dumps({"assetid": asset["Id"], "standardid": STANDARD})).json()
    [passed] = result["RawEvaluationResult"]["Passed Checks"]
    assert (passed["Check name"], passed["Evidence"].strip()) == ("password age", "CollectionJob false")
    assert call("GET", "/../../../Dispatcher/SchedulingService/jobs").status_code == 404


def _ended(call: Callable[..., requests.Response], job_id: str) -> dict[str, Any]:
    """Poll as the vendor's clients do until the latest run of the job is over."""
    for _ in range(600):
        [run] = call("GET", f"/Jobs/{job_id}/jobruns", count="1").json()
        if run["Status"] in _OVER:
            return dict(run)
    raise AssertionError(f"{run} does not end")


def test_the_certificate_is_checked_by_who_wants_to(base: str) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{base}/jobs", timeout=30)
    with pytest.warns(match="Unverified HTTPS request"):  # as the samples do
        assert requests.get(f"{base}/jobs", headers=token(base, verify=False), verify=False, timeout=30).json() == []
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{base.replace('https', 'http')}/jobs", timeout=30)
