"""Result documents: what became of a job, in the file format of the console's export (contract section 6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo
from xml.sax.saxutils import escape, quoteattr

from dispatcher.bindings.ivanti_automation.translate import to_wire_guid
from dispatcher.core.jobs import Invoker, Job, What, Who
from dispatcher.core.results import JobResult, RunResult, TaskResult

_DECLARATION = '<?xml version="1.0" encoding="UTF-16"?>'
#: What XML 1.0 forbids even as a character reference; lone surrogates cannot be encoded either.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INVOKERS = {
    Invoker.USER: "User",
    Invoker.RECURRENCE: "Recurring schedule",
    Invoker.WORKSPACE_MANAGER: "Workspace Manager",
    Invoker.NEW_AGENT: "New Agent",
    Invoker.BOOT: "Boot",
    Invoker.RUNBOOK: "Run Book",
}


def to_document(results: Sequence[JobResult], overview: bool, detailed: bool, zone: tzinfo) -> bytes:
    """Return the document of *results*, one ``masterjobresult`` each in their order.

    It is UTF-16LE without a byte order mark, because the clients' XML parsers take a mark for text.
    *overview* adds each agent's outcome, *detailed* each task's with its output; moments are in *zone*.
    """
    writer = _Writer(zone)
    jobs = [writer.job(result, overview, detailed) for result in results]
    return (_DECLARATION + _element("masterjobresults", jobs)).encode("utf-16-le")


class _Writer:
    """Writes the elements of one document; knows the zone that its moments are written in."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def job(self, result: JobResult, overview: bool, detailed: bool) -> str:
        job = result.job
        parts = self._header(job)
        if overview:
            parts.append(_element("overview", map(self._overview, result.runs)))
        if detailed:
            parts.append(_element("tasks", self._tasks(result.runs)))
        return _element("masterjobresult", parts)

    def _header(self, job: Job) -> list[str]:
        return [
            _text("guid", to_wire_guid(job.id)),
            _text("description", job.description),
            _text("status", job.state.text),
            _text("reason", job.reason),
            _text("invoker", _INVOKERS[job.invoker]),
            _text("invokerinfo", job.invoker_info),
            self._moment("startdatetime", job.started_at),
            self._moment("stopdatetime", job.stopped_at),
            _element("who", map(_who, job.who)),
            *map(_what, job.what),
        ]

    def _overview(self, run: RunResult) -> str:
        parts = [
            _text("guid", to_wire_guid(run.agent.id)),
            _text("name", run.agent.name),
            _text("status", run.state.text),
            self._moment("startdatetime", run.started_at),
            self._moment("stopdatetime", run.stopped_at),
            _text("currentactivity", run.activity),
            _text("reason", run.reason),
        ]
        return _element("agent", parts)

    def _tasks(self, runs: Iterable[RunResult]) -> list[str]:
        """Return the tasks in the order they run in, each with its result on every agent."""
        by_task: dict[tuple[int, str], list[tuple[Who, TaskResult]]] = {}
        for run in runs:
            for task in run.tasks:
                by_task.setdefault((task.position, str(task.task_id)), []).append((run.agent, task))
        return [self._task(by_task[key]) for key in sorted(by_task)]

    def _task(self, results: list[tuple[Who, TaskResult]]) -> str:
        task = results[0][1]
        module = [_text("guid", to_wire_guid(task.module.id)), _text("name", task.module.name)]
        parts = [
            _text("guid", to_wire_guid(task.task_id)),
            _text("description", task.name),
            _text("type", task.type.upper()),
            _element("module", module),
            _element("results", [self._result(agent, one) for agent, one in results]),
        ]
        return _element("task", parts)

    def _result(self, agent: Who, task: TaskResult) -> str:
        parts = [
            _text("status", task.state.text),
            self._moment("startdatetime", task.started_at),
            self._moment("stopdatetime", task.stopped_at),
            _text("exitcode", "" if task.exit_code is None else str(task.exit_code)),
            _text("details", task.message),
            _element("killed", [_text("process", process) for process in task.killed]),
            _text("lognote", _log_note(task)),
            _text("log", task.output),
        ]
        return _element("agent", [_element("result", parts)], guid=to_wire_guid(agent.id), name=agent.name)

    def _moment(self, name: str, moment: datetime | None) -> str:
        return _text(name, "" if moment is None else moment.astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S"))


def _log_note(task: TaskResult) -> str:
    shown = len(task.output.encode("utf-8", "surrogatepass"))
    if task.output_bytes <= shown:
        return ""
    return f"Only the last {shown} of {task.output_bytes} bytes of output are shown."


def _who(who: Who) -> str:
    return _element(who.kind.name.lower(), [_escaped(who.name)], guid=to_wire_guid(who.id))


def _what(what: What) -> str:
    return _element("what", [_escaped(what.name)], type=what.kind.name.lower(), guid=to_wire_guid(what.id))


def _text(name: str, value: str) -> str:
    return _element(name, [_escaped(value)])


def _escaped(value: str) -> str:
    return escape(_legal(value), {"\r": "&#13;"})


def _legal(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value)


def _element(name: str, parts: Iterable[str], **attributes: str) -> str:
    content = "".join(parts)
    pairs = "".join(f" {key}={quoteattr(_legal(value))}" for key, value in attributes.items())
    return f"<{name}{pairs}>{content}</{name}>" if content else f"<{name}{pairs}/>"
