"""Result documents: what became of a job, in the file format of the console's export (contract section 6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from dispatcher.core.jobs import Invoker, Job, ParameterSet, What, Who
from dispatcher.core.results import JobResult, RunResult, TaskResult
from dispatcher.wire.dates import format_xml
from dispatcher.wire.guids import format_guid
from dispatcher.wire.xml_encoder import escape

#: How much of the end of a task's output the document holds (contract section 12); the service has cut it.
SHOWN_BYTES = 256 * 1024
_DECLARATION = '<?xml version="1.0" encoding="UTF-16"?>'
_INVOKERS = {
    Invoker.USER: "User",
    Invoker.RECURRENCE: "Recurring schedule",
    Invoker.WORKSPACE_MANAGER: "Workspace Manager",
    Invoker.NEW_AGENT: "New Agent",
    Invoker.BOOT: "Boot",
    Invoker.RUNBOOK: "Run Book",
}


def to_document(results: Sequence[JobResult], overview: bool, detailed: bool) -> bytes:
    """Return the document of *results*, one ``masterjobresult`` each in their order.

    It is UTF-16LE without a byte order mark, because the clients' XML parsers take a mark for text.
    *overview* adds each agent's outcome, *detailed* each task's with its output; moments are UTC without a zone.
    """
    jobs = [_job(result, overview, detailed) for result in results]
    return (_DECLARATION + _element("masterjobresults", jobs)).encode("utf-16-le")


def _job(result: JobResult, overview: bool, detailed: bool) -> str:
    parts = _header(result.job)
    if overview:
        parts.append(_element("overview", map(_overview, result.runs)))
    if detailed:
        parts.append(_element("tasks", _tasks(result.runs)))
    return _element("masterjobresult", parts)


def _header(job: Job) -> list[str]:
    return [
        _text("guid", format_guid(job.id)),
        _text("description", job.description),
        _text("status", job.state.text),
        _text("reason", job.reason),
        _text("invoker", _INVOKERS[job.invoker]),
        _text("invokerinfo", job.invoker_info),
        _moment("startdatetime", job.started_at),
        _moment("stopdatetime", job.stopped_at),
        _element("who", map(_who, job.who)),
        *map(_what, job.what),
        *([_element("outputparameters", map(_outputs, job.outputs))] if job.outputs else ()),
    ]


def _outputs(given: ParameterSet) -> str:
    values = [_element("parameter", [escape(one.value1)], name=one.name) for one in given.parameters]
    return _element("what", values, type=given.what.kind.name.lower(), guid=format_guid(given.what.id))


def _overview(run: RunResult) -> str:
    parts = [
        _text("guid", format_guid(run.agent.id)),
        _text("name", run.agent.name),
        _text("status", run.state.text),
        _moment("startdatetime", run.started_at),
        _moment("stopdatetime", run.stopped_at),
        _text("currentactivity", run.activity),
        _text("reason", run.reason),
    ]
    return _element("agent", parts)


def _tasks(runs: Iterable[RunResult]) -> list[str]:
    """Return the tasks in the order they run in, each with its result on every agent."""
    by_task: dict[tuple[int, str], list[tuple[Who, TaskResult]]] = {}
    for run in runs:
        for task in run.tasks:
            by_task.setdefault((task.position, str(task.task_id)), []).append((run.agent, task))
    return [_task(by_task[key]) for key in sorted(by_task)]


def _task(results: Sequence[tuple[Who, TaskResult]]) -> str:
    task = results[0][1]
    module = [_text("guid", format_guid(task.module.id)), _text("name", task.module.name)]
    parts = [
        _text("guid", format_guid(task.task_id)),
        _text("description", task.name),
        _text("type", task.type.upper()),
        _element("module", module),
        _element("results", [_result(agent, one) for agent, one in results]),
    ]
    return _element("task", parts)


def _result(agent: Who, task: TaskResult) -> str:
    parts = [
        _text("status", task.state.text),
        _moment("startdatetime", task.started_at),
        _moment("stopdatetime", task.stopped_at),
        _text("exitcode", "" if task.exit_code is None else str(task.exit_code)),
        *([_text("attempts", str(task.attempts))] if task.attempts > 1 else ()),
        _text("details", task.message),
        _element("killed", [_text("process", process) for process in task.killed]),
        _text("lognote", _log_note(task)),
        _text("log", task.output),
    ]
    return _element("agent", [_element("result", parts)], guid=format_guid(agent.id), name=agent.name)


def _log_note(task: TaskResult) -> str:
    if task.output_bytes <= SHOWN_BYTES:
        return ""
    return f"Only the last {SHOWN_BYTES} of {task.output_bytes} bytes of output are shown."


def _who(who: Who) -> str:
    return _element(who.kind.name.lower(), [escape(who.name)], guid=format_guid(who.id))


def _what(what: What) -> str:
    return _element("what", [escape(what.name)], type=what.kind.name.lower(), guid=format_guid(what.id))


def _moment(name: str, moment: datetime | None) -> str:
    return _text(name, "" if moment is None else format_xml(moment))


def _text(name: str, value: str) -> str:
    return _element(name, [escape(value)])


def _element(name: str, parts: Iterable[str], /, **attributes: str) -> str:
    content = "".join(parts)
    pairs = "".join(f' {key}="{_quoted(value)}"' for key, value in attributes.items())
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"


def _quoted(value: str) -> str:
    return escape(value).replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;")
