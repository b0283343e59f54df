"""Translation between the agent protocol and the services, total and pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dispatcher.agents import protocol
from dispatcher.agents.values import to_parameter, to_value
from dispatcher.core.computers import FoundComputer
from dispatcher.core.conditions import ConditionDocument
from dispatcher.core.console import Console
from dispatcher.core.definitions import PlannedModule, TaskDocument
from dispatcher.core.states import Event
from dispatcher.services import reporting
from dispatcher.services.configuration_keeping import FetchedText
from dispatcher.services.enrolment import Facts
from dispatcher.services.run_orders import LeasedRun
from dispatcher.services.topology import Target

_TASK_EVENTS: dict[protocol.TaskEnd, Event] = {
    "completed": Event.COMPLETE,
    "failed": Event.FAIL,
    "timed_out": Event.TIME_OUT,
    "aborted": Event.CONFIRM_ABORT,
    "skipped": Event.SKIP,
}
_RUN_EVENTS: dict[protocol.RunEnd, Event] = {
    "completed": Event.COMPLETE,
    "failed": Event.FAIL,
    "stopped": Event.STOP,
    "completed_with_errors": Event.COMPLETE_WITH_ERRORS,
    "timed_out": Event.TIME_OUT,
    "aborted": Event.CONFIRM_ABORT,
    "skipped": Event.SKIP,
}


def to_facts(facts: protocol.Facts) -> Facts:
    """Return what the services keep of *facts*."""
    return Facts(
        os=facts.os,
        os_version=facts.os_version,
        hostname=facts.hostname,
        address=facts.address,
        macs=tuple(facts.macs),
        version=facts.version,
        time_zone=facts.time_zone,
        boot_id=facts.boot_id,
        console=Console(facts.console_user, facts.last_console_user, facts.console_user_at),
        extra=facts.extra,
    )


def to_orders(runs: Sequence[LeasedRun]) -> list[protocol.RunOrder]:
    """Return the orders that make agents do *runs*, in the same order.

    Runs that share their modules, as those of one job may, share all of their orders that is the same.
    """
    alike: dict[int, protocol.RunOrder] = {}
    orders = []
    for run in runs:
        known = alike.get(id(run.modules))
        if known is None:
            known = alike[id(run.modules)] = to_order(run)
        update: dict[str, Any] = {"run_id": run.id, "fence": run.fence}
        update |= {"device": _to_device(run.device), "account": run.account, "logs_in": run.logs_in}
        update["inputs"] = run.inputs
        orders.append(known.model_copy(update=update))
    return orders


def to_order(run: LeasedRun) -> protocol.RunOrder:
    """Return the order that makes an agent do *run*."""
    tasks = [(index, task) for index, module in enumerate(run.modules) for task in module.document["tasks"]]
    return protocol.RunOrder(
        run_id=run.id,
        fence=run.fence,
        job_id=run.job_id,
        modules=[_to_module(module) for module in run.modules],
        tasks=[_to_task(position, index, task) for position, (index, task) in enumerate(tasks)],
        scopes=[None if scope is None else [to_value(parameter) for parameter in scope] for scope in run.scopes],
        device=_to_device(run.device),
        account=run.account,
        logs_in=run.logs_in,
        inputs=run.inputs,
    )


def _to_device(device: Target | None) -> protocol.Device | None:
    if device is None:
        return None
    return protocol.Device(id=device.id, name=device.name, address=device.address, os=device.os)


def _to_module(module: PlannedModule) -> protocol.ModuleOrder:
    return protocol.ModuleOrder(
        module_id=UUID(module.document["id"]),
        name=module.document["name"],
        values=[to_value(parameter) for parameter in module.parameters],
        what=module.what,
        links=dict(module.links),
        get=dict(module.get),
        condition=_to_condition(module.condition),
    )


def _to_task(position: int, module: int, task: TaskDocument) -> protocol.TaskOrder:
    retry = task.get("retry")
    return protocol.TaskOrder(
        position=position,
        task_id=UUID(task["id"]),
        name=task["name"],
        type=task["type"],
        settings=task["settings"],
        module=module,
        timeout_s=task["timeout_s"],
        on_error="continue" if task["on_error"] == "continue" else "stop",
        repeatable=task["repeatable"],
        condition=_to_condition(task.get("condition")),
        retry=None if retry is None else protocol.Retry(**retry),
    )


def _to_condition(condition: ConditionDocument | None) -> protocol.Condition | None:
    if condition is None:
        return None
    return protocol.Condition(rule=condition["if"], otherwise="fail" if condition["else"] == "fail" else "skip")


def to_report(agent_id: UUID, report: protocol.Report) -> reporting.Report:
    """Return what *report*, which the agent has sent, tells."""
    news = [to_news(event) for event in report.events]
    return reporting.Report(agent_id, news, [(held.run_id, held.fence) for held in report.holding])


def to_news(event: protocol.RunEvent) -> reporting.News:
    """Return the news that *event* carries."""
    return reporting.News(event.run_id, event.fence, _to_event(event))


def _to_event(event: protocol.RunEvent) -> reporting.RunEvent:
    match event:
        case protocol.RunStarted():
            return reporting.RunStarted(event.at)
        case protocol.TaskStarted():
            return reporting.TaskStarted(event.position, event.at)
        case protocol.Output():
            return reporting.Output(event.position, event.offset, event.data)
        case protocol.Fetched():
            return reporting.Fetched(event.position, event.offset, event.data)
        case protocol.Found():
            return reporting.Found(event.position, [_to_computer(one) for one in event.computers])
        case protocol.TaskFinished():
            return reporting.TaskFinished(
                event.position,
                event.at,
                _TASK_EVENTS[event.state],
                event.exit_code,
                event.message,
                event.killed,
                event.outputs,
                event.attempts,
            )
        case protocol.RunFinished():
            outputs = [[to_parameter(value) for value in values] for values in event.outputs]
            fetched = [_to_text(text) for text in event.fetched]
            return reporting.RunFinished(event.at, _RUN_EVENTS[event.state], event.reason, outputs, fetched)


def _to_computer(computer: protocol.Computer) -> FoundComputer:
    return FoundComputer(
        **{**dict(computer), "ports": tuple(sorted(set(computer.ports))), "ways": tuple(dict.fromkeys(computer.ways))}
    )


def _to_text(text: protocol.FetchedText) -> FetchedText:
    sha256, compared = bytes.fromhex(text.sha256), bytes.fromhex(text.compared)
    return FetchedText(text.position, text.name, text.size, sha256, compared)
