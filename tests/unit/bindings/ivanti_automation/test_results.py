from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from dispatcher.bindings.ivanti_automation.results import SHOWN_BYTES, to_document
from dispatcher.core.jobs import Job, ParameterSet, What, WhatKind, Who, WhoKind
from dispatcher.core.parameters import Parameter
from dispatcher.core.results import JobResult, RunResult, TaskResult
from dispatcher.core.states import State

AGENT = Who(UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f995"), "PC-042", WhoKind.AGENT)
OTHER = Who(UUID("6ae2e5b5-d5c8-4728-a10a-12e25bd5f996"), "PC-043", WhoKind.AGENT)
PATCH = What(UUID("5cf59e5a-343c-4d85-a83c-8b18e4731040"), "Patch", WhatKind.MODULE)
TASK_ID = UUID("11111111-2222-3333-4444-555555555555")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_task(**members: object) -> TaskResult:
    values: dict[str, object] = {"name": "install", "type": "command", "position": 0, "state": State.COMPLETED}
    return TaskResult(**{"task_id": TASK_ID, "module": PATCH, **values, **members})  # type: ignore[arg-type]


def a_run(*tasks: TaskResult, agent: Who = AGENT) -> RunResult:
    return RunResult(agent, State.COMPLETED, NOON, None, activity="install", tasks=list(tasks))


def parsed(document: bytes) -> etree._Element:
    """Read the document as a client does: decode first, then parse without the declared encoding."""
    text = document.decode("utf-16-le")
    return etree.fromstring(text.partition("?>")[2])


@pytest.fixture
def result(a_job: Callable[..., Job]) -> Callable[..., JobResult]:
    return lambda *runs, **members: JobResult(a_job(**members), list(runs))


def test_document_is_utf16_without_a_mark(result: Callable[..., JobResult]) -> None:
    document = to_document([result()], overview=False, detailed=False)

    assert document.startswith('<?xml version="1.0" encoding="UTF-16"?><masterjobresults>'.encode("utf-16-le"))


def test_default_call_finds_the_head_of_the_job_and_no_more(result: Callable[..., JobResult]) -> None:
    root = parsed(to_document([result(a_run(a_task()))], overview=False, detailed=False))

    (job,) = root.findall("masterjobresult")
    assert job.findtext("guid") == "{55D1E5FD-CD92-481E-ABDB-62ED86288D1F}"
    assert job.findtext("status") == "Completed"
    assert job.findtext("invoker") == "User"
    assert job.findtext("startdatetime") == "2025-10-09T08:53:20"
    assert job.findtext("who/agent") == "PC-042"
    assert job.findtext("what[@type='module']") == "Patch"
    assert job.find("overview") is None
    assert job.find("tasks") is None


def test_overview_shows_each_agent(result: Callable[..., JobResult]) -> None:
    root = parsed(to_document([result(a_run(), a_run(agent=OTHER))], overview=True, detailed=False))

    agents = root.findall("masterjobresult/overview/agent")
    assert [agent.findtext("name") for agent in agents] == ["PC-042", "PC-043"]
    assert [agent.findtext("status") for agent in agents] == ["Completed", "Completed"]
    assert agents[0].findtext("currentactivity") == "install"
    assert agents[0].findtext("startdatetime") == "2026-03-01T12:00:00"
    assert agents[0].findtext("stopdatetime") == ""


def test_status_of_a_task_is_found_where_clients_look_for_it(result: Callable[..., JobResult]) -> None:
    run = a_run(a_task(state=State.STOPPED))
    root = parsed(to_document([result(run)], overview=False, detailed=True))

    (status,) = root.xpath(f"//task[guid/text()='{{{str(TASK_ID).upper()}}}']/results/agent/result/status")
    assert status.text == "Failed (job stopped)"


def test_tasks_stand_in_the_order_they_run_in_with_every_agent(result: Callable[..., JobResult]) -> None:
    second = UUID("11111111-2222-3333-4444-000000000000")
    runs = [a_run(a_task(position=1, task_id=second, name="second"), a_task()), a_run(a_task(), agent=OTHER)]
    root = parsed(to_document([result(*runs)], overview=False, detailed=True))

    tasks = root.findall("masterjobresult/tasks/task")
    assert [task.findtext("description") for task in tasks] == ["install", "second"]
    assert [agent.get("name") for agent in tasks[0].findall("results/agent")] == ["PC-042", "PC-043"]
    assert tasks[0].findtext("type") == "COMMAND"
    assert tasks[0].findtext("module/name") == "Patch"


def test_result_of_a_task_tells_all_about_it(result: Callable[..., JobResult]) -> None:
    task = a_task(exit_code=3, message="exit code 3", output="a\r\nb", killed=["17 sleep", "18 sh"])
    root = parsed(to_document([result(a_run(task))], overview=False, detailed=True))

    (found,) = root.xpath("//task/results/agent/result")
    assert found.findtext("exitcode") == "3"
    assert found.findtext("details") == "exit code 3"
    assert found.findtext("log") == "a\r\nb"
    assert found.xpath("killed/process/text()") == ["17 sleep", "18 sh"]
    assert found.findtext("lognote") == ""


def test_cut_output_says_so(result: Callable[..., JobResult]) -> None:
    run = a_run(a_task(output="end", output_bytes=SHOWN_BYTES + 1))
    root = parsed(to_document([result(run)], overview=False, detailed=True))

    assert root.findtext(".//lognote") == "Only the last 262144 of 262145 bytes of output are shown."


def test_every_step_of_a_run_book_follows_as_a_job_of_its_own(result: Callable[..., JobResult]) -> None:
    results = [result(description=text) for text in ("book", "first", "second")]
    root = parsed(to_document(results, overview=False, detailed=False))

    assert root.xpath("masterjobresult/description/text()") == ["book", "first", "second"]


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_no_text_can_break_the_document(name: str, output: str) -> None:
    job = Job(
        id=TASK_ID,
        number=1,
        description=output,
        state=State.SKIPPED,
        invoker=1,  # type: ignore[arg-type]
        invoker_info="",
        started_at=NOON,
        stopped_at=None,
        when=None,  # type: ignore[arg-type]
        what=[],
        who=[Who(TASK_ID, name, WhoKind.TEAM)],
        parameters=[],
    )
    run = RunResult(Who(TASK_ID, name, WhoKind.AGENT), State.FAILED, None, None, tasks=[a_task(output=output)])

    root = parsed(to_document([JobResult(job, [run])], overview=True, detailed=True))

    shown = root.findtext("masterjobresult/description") or ""
    assert len(shown) == len(output)
    assert all(one in (other, "\ufffd") for one, other in zip(shown, output, strict=True))


def test_name_of_an_agent_is_kept_whole_in_an_attribute(result: Callable[..., JobResult]) -> None:
    agent = Who(TASK_ID, 'a "b" <c> & d\n\te', WhoKind.AGENT)
    root = parsed(to_document([result(a_run(a_task(), agent=agent))], overview=False, detailed=True))

    assert root.xpath("//task/results/agent/@name") == [agent.name]


def test_outputs_and_attempts_are_told_when_there_are_some(result: Callable[..., JobResult]) -> None:
    outputs = [ParameterSet.of(PATCH, [Parameter("Count", value1="<3>"), Parameter("Site", value1="")])]
    found = parsed(to_document([result(a_run(a_task(attempts=2)), outputs=outputs)], overview=False, detailed=True))
    plain = parsed(to_document([result(a_run(a_task()))], overview=False, detailed=True))

    [given] = found.findall("masterjobresult/outputparameters/what")
    assert (given.get("type"), given.get("guid")) == ("module", "{5CF59E5A-343C-4D85-A83C-8B18E4731040}")
    assert [(one.get("name"), one.text) for one in given] == [("Count", "<3>"), ("Site", None)]
    assert found.findtext(".//attempts") == "2"
    assert plain.find("masterjobresult/outputparameters") is None
    assert plain.find(".//attempts") is None
