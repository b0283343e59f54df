"""Options of a job on the wire: time limits and batches. Total and pure, as ``translate``."""

from __future__ import annotations

from typing import Any

from dispatcher.bindings.ivanti_automation import contract
from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Options
from dispatcher.core.options import MAX_BATCH, MAX_TIME_S
from dispatcher.wire.types import new


def to_options(job: Any) -> Options | None:
    """Return the options of a ``Job``, those of its ``When`` included; None if it has none.

    :raises InvalidValue: if a number is out of its range, or members do not go together. The core would refuse them as
        well, but by its own names.
    """
    options: Options = {}
    if job.When is not None and job.When.NextBoot:
        options["boot"] = "next"
    if job.When is not None and job.When.OfflineAgentsNextBoot:
        options["offline_agents_next_boot"] = True
    if job.Options is not None:
        options.update(_limits(job.Options))
    return options or None


def _limits(given: Any) -> Options:
    options: Options = {}
    if (size := _positive(given, "BatchSize", MAX_BATCH)) is not None:
        options["batch_size"] = size
    elif (percent := _positive(given, "BatchPercent", 100)) is not None:
        options["batch_share"] = percent / 100
    if (percent := _positive(given, "StopAtFailedPercent", 100)) is not None:
        options["stop_at_share"] = percent / 100
    if (seconds := _positive(given, "LaunchTimeoutSeconds", MAX_TIME_S)) is not None:
        options["launch_timeout_s"] = seconds
    if (seconds := _positive(given, "TimeoutSeconds", MAX_TIME_S)) is not None:
        options["timeout_s"] = seconds
    if given.SelectOneAgent:
        options["select_one"] = True
    has_batches = not options.keys().isdisjoint({"batch_size", "batch_share"})
    if has_batches and given.SelectOneAgent:
        raise InvalidValue("Options/SelectOneAgent", "does not go with a BatchSize or a BatchPercent")
    if "stop_at_share" in options and not has_batches:
        raise InvalidValue("Options/StopAtFailedPercent", "needs a BatchSize or a BatchPercent")
    return options


def to_wire_options(options: Options | None) -> Any:
    """Return *options* as a ``JobOptions``; None if the job has none that stand there."""
    if not options:
        return None
    members = {
        "BatchPercent": _percent(options.get("batch_share")),
        "BatchSize": options.get("batch_size"),
        "LaunchTimeoutSeconds": options.get("launch_timeout_s"),
        "SelectOneAgent": bool(options.get("select_one")),
        "StopAtFailedPercent": _percent(options.get("stop_at_share")),
        "TimeoutSeconds": _whole(options.get("timeout_s")),
    }
    return new(contract.JobOptions, **members) if any(members.values()) else None


def _positive(given: Any, member: str, highest: int) -> int | None:
    number: int | None = getattr(given, member)
    # Clients that always write their members send 0 for what they do not mean.
    if not number:
        return None
    if not 0 < number <= highest:
        raise InvalidValue(f"Options/{member}", f"{number} is not from 1 to {highest}")
    return number


def _percent(share: float | None) -> int | None:
    return None if share is None else round(share * 100)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds))
