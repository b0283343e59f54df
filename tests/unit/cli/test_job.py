"""Job commands say what the service wants to hear, and end with what became of the job (contract sections 2 to 4)."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.cli.client import from_date, to_date

MODULE = "{5CF59E5A-343C-4D85-A83C-8B18E4731040}"
AGENT = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F995}"
JOB = "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}"
JOB_ID = "55d1e5fd-cd92-481e-abdb-62ed86288d1f"
WHAT = {"ID": MODULE, "Name": "Patch", "Type": 0}
WHO = {"ID": AGENT, "Name": "PC-042", "Type": 0}
DOCUMENT = """<?xml version="1.0" encoding="UTF-16"?><masterjobresults><masterjobresult>
<guid>{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}</guid><description>Patch ring 1</description><status>Completed</status>
<overview><agent><guid>g</guid><name>PC-042</name><status>Completed</status></agent>
<agent><name>PC-043</name><status>Active</status></agent></overview>
<tasks><task><description>append</description><results><agent name="PC-042"><result><status>Completed</status>
<exitcode>0</exitcode><log>hällo &#x1F600;
second line&#9;tab</log></result></agent></results></task></tasks>
</masterjobresult></masterjobresults>"""


def a_parameter(name: str, type: int = 0, value: str = "") -> dict[str, Any]:  # noqa: A002
    return {"Name": name, "Type": type, "Value1": value, "Value2": "", "Value3": "", "Hint": "", "Description": ""}


def a_container(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"TaskContainerGuid": MODULE, "TaskContainerName": "Patch", "Type": 0, "JobParameters": list(parameters)}


def a_job(state: int = 4, **values: Any) -> dict[str, Any]:
    return {
        "JobID": JOB,
        "Description": "Patch ring 1",
        "Status": {
            "Type": state,
            "StartDateTime": "/Date(1760000000000+0000)/",
            "StopDateTime": None,
            "JobInvokerInfo": "api",
        },
        "What": [WHAT],
        "Who": [WHO],
        "Parameters": [],
    } | values


def results(document: str = DOCUMENT) -> dict[str, Any]:
    return {"Xml": list(document.encode("utf-16-le"))}


@pytest.fixture
def job(run, service, monkeypatch: pytest.MonkeyPatch):
    """Runs a job command against the stand-in server."""
    monkeypatch.setenv("TZ", "UTC")
    service.answers |= {
        "GET what/modules": [[WHAT]],
        "GET who": [[WHO]],
        "POST jobs": a_job(1),
        f"GET jobs/{JOB_ID}": a_job(),
    }

    def job(*arguments: str, **environ: str):
        return run("job", *arguments, **{"DISPATCHER_URL": service.url} | environ)

    return job


def test_submit_posts_what_the_lists_gave_and_prints_the_id(job, service) -> None:
    result = job("submit", "--module", "Patch", "--agent", "pc-042", "--description", "Ring")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{JOB_ID}\n"
    posted = service.received[-1]
    assert (posted.method, posted.path) == ("POST", "jobs")
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["accept"] == "application/json"
    assert posted.body == {
        "Description": "Ring",
        "Parameters": [],
        "What": [WHAT],
        "When": {"Immediate": True, "IsLocalTime": False, "UseWakeOnLAN": False},
        "Who": [WHO],
    }
    asked = next(request for request in service.received if request.path == "who")
    assert asked.query == {
        "agents": "True",
        "teams": "False",
        "online": "False",
        "licensed": "False",
        "search": "pc-042",
    }


def test_submit_takes_ids_and_the_name_as_description(job, service) -> None:
    team = "0d9a2f3c-0000-4000-8000-00000000000a"
    job("submit", "--module", MODULE.lower(), "--agent", AGENT.strip("{}"), "--team", team)
    body = service.received[-1].body
    assert body["Description"] == "Patch"
    assert body["Who"] == [{"ID": AGENT, "Type": 0}, {"ID": f"{{{team.upper()}}}", "Type": 1}]
    assert not any(request.path == "who" for request in service.received)


def test_parameters_are_filled_in_where_the_service_keeps_them(job, service, tmp_path: Path) -> None:
    container = a_container(a_parameter("Ring", value="1"), a_parameter("Account", 2), a_parameter("Text", 4, "old"))
    service.answers[f"GET what/modules/{MODULE.strip('{}').lower()}/inputparameters"] = container
    (tmp_path / "text").write_text("two\nlines\n")
    options = ["--parameter", "account=DOM\\user:p:w", "--parameter", "Ring=a=b"]
    result = job("submit", "--module", "patch", "--agent", AGENT, *options, "--parameter-file", f"Text={tmp_path}/text")
    assert result.exit_code == 0, result.output
    (posted,) = service.received[-1].body["Parameters"]
    values = {one["Name"]: (one["Value1"], one["Value2"]) for one in posted["JobParameters"]}
    assert values == {"Ring": ("a=b", ""), "Account": ("DOM\\user", "p:w"), "Text": ("two\nlines", "")}
    assert posted["TaskContainerGuid"] == MODULE


def test_unknown_parameter_is_a_mistake_in_usage_and_nothing_is_scheduled(job, service) -> None:
    service.answers[f"GET what/modules/{MODULE.strip('{}').lower()}/inputparameters"] = a_container(a_parameter("Ring"))
    result = job("submit", "--module", "Patch", "--agent", AGENT, "--parameter", "Rng=1")
    assert result.exit_code == 2
    assert "Ring" in result.stderr
    assert not any(request.method == "POST" for request in service.received)


@pytest.mark.parametrize(
    ("text", "date"),
    [("2026-12-24T22:00:00+01:00", "/Date(1798146000000+0000)/"), ("2026-12-24T21:00Z", "/Date(1798146000000+0000)/")],
)
def test_later_start_is_sent_as_a_date_of_the_service(job, service, text: str, date: str) -> None:
    job("submit", "--module", "Patch", "--agent", AGENT, "--at", text)
    when = service.received[-1].body["When"]
    assert (when["Immediate"], when["ScheduledDateTime"]) == (False, date)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--module", "Patch"],
        ["--module", "Patch", "--project", "x", "--agent", AGENT],
        ["--module", "Patch", "--agent", AGENT, "--at", "tomorrow"],
        ["--module", "Patch", "--agent", AGENT, "--parameter", "novalue"],
        ["--module", "Patch", "--agent", AGENT, "--parameter-file", "A=/nonexistent"],
    ],
)
def test_wrong_usage_is_found_before_anything_is_asked(job, service, arguments: list[str]) -> None:
    assert job("submit", *arguments).exit_code == 2
    assert service.received == []


def test_runbook_may_name_its_agents_itself(job, service) -> None:
    service.answers["GET what/runbooks"] = [[{"ID": MODULE, "Name": "Ring", "Type": 2}]]
    assert job("submit", "--runbook", "Ring").exit_code == 0
    assert service.received[-1].body["Who"] == []


def test_unknown_and_ambiguous_names_are_refused(job, service) -> None:
    assert job("submit", "--module", "Nothing", "--agent", AGENT).exit_code == 4
    other = AGENT.replace("6", "7")
    service.answers["GET who"] = [[WHO, WHO | {"ID": other}]]
    result = job("submit", "--module", "Patch", "--agent", "PC-042")
    assert result.exit_code == 4
    assert other.strip("{}").lower() in result.stderr


@pytest.mark.parametrize(("state", "code"), [(4, 0), (3, 1), (5, 1), (6, 1), (7, 1), (8, 1), (9, 1), (11, 1)])
def test_waiting_ends_as_the_job_does(job, service, state: int, code: int) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = [a_job(0), a_job(1), a_job(10), a_job(state)]
    result = job("wait", JOB)
    assert result.exit_code == code, result.output
    assert len(service.received) == 4


def test_submit_waits_when_asked(job, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = [a_job(1), a_job(5)]
    result = job("submit", "--module", "Patch", "--agent", AGENT, "--wait")
    assert result.exit_code == 1
    assert result.stdout == f"{JOB_ID}\n"
    assert result.stderr == "dispatcher: the job ended: Failed\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_waiting_shows_a_terminal_how_many_agents_are_done(service) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = [a_job(1), a_job(1), a_job(1), a_job(4)]
    service.answers[f"GET jobs/{JOB_ID}/results"] = results()
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "dispatcher", "job", "--url", service.url, "wait", JOB_ID]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how a pseudo-terminal says that its other end is closed
        while part := os.read(ours, 65536):
            shown += part
    os.close(ours)
    assert process.wait(20) == 0
    assert b"1/2 agents" in shown


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["show", JOB],
        ["wait", JOB],
        ["abort", JOB],
        ["result", JOB],
        ["submit", "--module", "Patch", "--agent", AGENT],
        ["submit", "--module", "Patch", "--agent", AGENT, "--wait"],
    ],
)
def test_json_is_printed_as_received(job, service, command: list[str]) -> None:
    raw = json.dumps(a_job() | {"Items": [], "PageCount": 0}).replace("/", "\\/")
    answer = (200, "application/json", raw.encode())
    for name in ("GET jobs", f"GET jobs/{JOB_ID}", f"PUT jobs/{JOB_ID}", f"GET jobs/{JOB_ID}/results", "POST jobs"):
        service.answers[name] = answer
    result = job(*command, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout == raw + "\n"


def test_list_shows_a_page_as_a_table(job, service) -> None:
    service.answers["GET jobs"] = {"CurrentPage": 2, "PageCount": 3, "Items": [a_job(8, Description="a\x1b[2Jb")]}
    result = job("list", "--stage", "history", "--page", "2", "--page-size", "1", "--runbook-jobs")
    assert result.exit_code == 0, result.output
    header, row = result.stdout.splitlines()
    assert header.split() == ["ID", "STATUS", "STARTED", "DESCRIPTION", "WHAT", "WHO"]
    assert row.startswith(f"{JOB_ID}  Completed with errors")
    assert "a\\x1b[2Jb" in row
    assert row.rstrip().endswith("PC-042")
    assert result.stderr == "Page 2 of 3.\n"
    assert service.received[-1].query == {
        "stage": "History",
        "runbookjobs": "True",
        "recurringjobs": "False",
        "page": "2",
        "pagesize": "1",
    }


def test_show_names_what_who_and_parameters(job, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = a_job(1, Parameters=[a_container(a_parameter("Ring", value="7"))])
    result = job("show", JOB_ID)
    for text in (JOB_ID, "Patch ring 1", "Active", "Patch", "PC-042", "api", "Ring", "7"):
        assert text in result.stdout


def test_abort_sends_the_status_that_aborts(job, service) -> None:
    service.answers[f"PUT jobs/{JOB_ID}"] = a_job(2)
    result = job("abort", JOB_ID)
    assert result.stdout == "The job is now: Aborting.\n"
    assert service.received[-1].body == {"Type": 2}


def test_result_shows_tasks_and_their_output(job, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}/results"] = results()
    result = job("result", JOB_ID, "--detailed")
    assert result.exit_code == 0, result.output
    for text in ("Patch ring 1", "PC-043", "append on PC-042: Completed, exit code 0", "hällo 😀\nsecond line\ttab"):
        assert text in result.stdout
    assert service.received[-1].query == {"overview": "True", "detailed": "True"}


def test_result_shows_what_a_run_waits_for(job, service) -> None:
    waiting = "<agent><name>PC-043</name><status>Pending</status><currentactivity>Waiting for the launch window"
    document = DOCUMENT.replace("<agent><name>PC-043</name><status>Active</status>", waiting + "</currentactivity>")
    service.answers[f"GET jobs/{JOB_ID}/results"] = results(document)
    rows = job("result", JOB).stdout.splitlines()
    assert any(row.startswith("PC-043") and row.endswith("Waiting for the launch window") for row in rows)


def test_result_shows_which_processes_had_to_be_killed(job, service) -> None:
    killed = "<killed><process>712 bash</process><process>713 sleep</process></killed><log>"
    service.answers[f"GET jobs/{JOB_ID}/results"] = results(DOCUMENT.replace("<log>", killed))
    assert "killed: 712 bash, 713 sleep\n" in job("result", JOB, "--detailed").stdout


def test_result_is_saved_byte_by_byte(job, service, tmp_path: Path) -> None:
    service.answers[f"GET jobs/{JOB_ID}/results"] = results()
    assert job("result", JOB_ID, "--output", str(tmp_path / "r.xml")).exit_code == 0
    assert (tmp_path / "r.xml").read_bytes() == DOCUMENT.encode("utf-16-le")
    assert job("result", JOB_ID, "--output", str(tmp_path / "none" / "r.xml")).exit_code == 2


@pytest.mark.parametrize("answer", [{"Xml": None}, {}, {"Xml": [1, 2, 3]}, {"Xml": list("<a>".encode("utf-16-le"))}])
def test_answer_without_a_document_is_no_crash(job, service, answer: dict[str, Any]) -> None:
    service.answers[f"GET jobs/{JOB_ID}/results"] = answer
    result = job("result", JOB_ID)
    assert result.exit_code == 3
    assert result.stderr.startswith("dispatcher: ")


def test_entities_in_a_result_are_not_followed(job, service, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim")
    document = (
        f'<!DOCTYPE m [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>'
        "<masterjobresults><masterjobresult><description>&x;</description></masterjobresult></masterjobresults>"
    )
    service.answers[f"GET jobs/{JOB_ID}/results"] = results(document)
    assert "geheim" not in job("result", JOB_ID).output


def test_credentials_come_from_the_environment_in_utf_8(job, service) -> None:
    job("list", DISPATCHER_LOGIN="jürgen", DISPATCHER_PASSWORD="pä:ss")
    expected = base64.b64encode("jürgen:pä:ss".encode()).decode()
    assert service.received[-1].headers["authorization"] == f"Basic {expected}"


def test_without_a_login_no_credentials_are_sent(job, service) -> None:
    job("list")
    assert "authorization" not in service.received[-1].headers


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, 4, "400: Who: is missing"),
        (401, 4, "DISPATCHER_LOGIN"),
        (403, 4, "403: Who: is missing"),
        (404, 4, "404: Who: is missing"),
        (409, 4, "409: Who: is missing"),
        (500, 3, "500: Who: is missing"),
        (302, 4, "302"),
    ],
)
def test_refusals_have_a_message_and_a_code(job, service, status: int, code: int, message: str) -> None:
    page = b'<html><p class="heading1">Request Error</p><br><p>Who: <b>is</b>\n missing</p></html>'
    service.answers["POST jobs"] = (status, "text/html", page)
    result = job("submit", "--module", "Patch", "--agent", AGENT)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Request Error" not in result.stderr
    assert len([one for one in service.received if one.method == "POST"]) == 1


def test_busy_server_is_asked_again_for_what_changes_nothing(job, service) -> None:
    busy = (503, "text/html", b"")
    service.answers[f"GET jobs/{JOB_ID}"] = [busy, busy, a_job()]
    assert job("show", JOB_ID).exit_code == 0
    service.answers["POST jobs"] = busy
    assert job("submit", "--module", "Patch", "--agent", AGENT).exit_code == 3
    assert len([one for one in service.received if one.method == "POST"]) == 1


def test_answer_that_is_no_json_is_told_as_such(job, service) -> None:
    service.answers[f"GET jobs/{JOB_ID}"] = (200, "text/html", b"<p>Welcome to another server</p>")
    result = job("show", JOB_ID)
    assert result.exit_code == 3
    assert "does not answer as a SchedulingService" in result.stderr


def test_unreachable_server_ends_with_3(job) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        result = job("abort", JOB_ID, DISPATCHER_URL=url)
    assert result.exit_code == 3
    assert f"{url}/Dispatcher/SchedulingService cannot be reached: " in result.stderr
    assert "Connection refused" in result.stderr
    assert "object at" not in result.stderr


def test_url_with_a_path_is_taken_as_it_is(job, service) -> None:
    service.answers["GET /other/jobs"] = {"Items": [], "PageCount": 0}
    assert job("list", DISPATCHER_URL=f"{service.url}/other/").exit_code == 0
    assert service.received[-1].path == "/other/jobs"


@pytest.mark.parametrize("text", ["7", "../jobs", "55d1e5fd"])
def test_job_id_must_be_one(job, service, text: str) -> None:
    assert job("show", text).exit_code == 2
    assert service.received == []


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_dates_round_trip_to_the_millisecond(moment: datetime) -> None:
    found = from_date(to_date(moment))
    assert found is not None
    assert abs(found - moment) <= timedelta(milliseconds=0.501)


def test_date_of_a_site_with_an_offset_is_shifted_back() -> None:
    # Contract section 4.2: 12:00 UTC at +0200 is written as the milliseconds of 10:00 UTC.
    assert from_date("/Date(1760004000000+0200)/") == datetime(2025, 10, 9, 12, 0, tzinfo=UTC)
    assert from_date("/Date(1760004000000)/") == datetime(2025, 10, 9, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    assert from_date("") is None
    assert from_date(None) is None


def test_rerun_asks_for_all_or_for_what_failed(job, service) -> None:
    service.answers[f"POST jobs/{JOB_ID}/rerun"] = a_job(1)
    assert job("rerun", JOB_ID).output == f"{JOB_ID}\n"
    assert service.received[-1].query == {"failedonly": "false"}
    assert job("rerun", JOB_ID, "--failed", "--wait").exit_code == 0
    assert [one.query for one in service.received if one.method == "POST"][-1] == {"failedonly": "true"}


def test_submit_names_its_request(job, service) -> None:
    job("submit", "--module", "Patch", "--agent", "PC-042", "--key", "order 7")
    assert service.received[-1].headers["idempotency-key"] == "order 7"


def test_submit_waits_for_the_next_boot(job, service) -> None:
    job("submit", "--module", "Patch", "--agent", "PC-042", "--next-boot", "--wake", "--select-one")
    body = service.received[-1].body
    assert (body["When"]["NextBoot"], body["When"]["UseWakeOnLAN"]) == (True, True)
    assert body["Options"] == {"SelectOneAgent": True}


def test_a_file_of_trusted_certificates_that_holds_none_is_named(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "trusted.pem"
    for content in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        file.write_text(content)
        result = run("job", "--ca-file", str(file), "list")
        assert (result.exit_code, f"--ca-file {file}: holds no certificate" in result.stderr) == (2, True)
