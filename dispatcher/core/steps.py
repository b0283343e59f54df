"""Steps: which steps of a run book start together, and which failures keep it from going on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dispatcher.core.definitions import StepDocument
from dispatcher.core.states import State

#: How deep run books may start run books: a loop among them must end.
MAX_DEPTH = 10
#: Outcomes of a step after which a run book goes on whatever the step says.
_GOOD = frozenset({State.COMPLETED, State.SKIPPED})


def group_at(steps: Sequence[StepDocument], position: int) -> range:
    """Return the positions of the steps that start together with the one at *position*, that one among them.

    A group is a step and the ``parallel`` ones that follow it without a gap.
    """
    start, stop = position, position + 1
    while start > 0 and _is_parallel(steps[start]):
        start -= 1
    while stop < len(steps) and _is_parallel(steps[stop]):
        stop += 1
    return range(start, stop)


def stopping(steps: Sequence[StepDocument], group: range, outcomes: Mapping[int, State]) -> list[int]:
    """Return the positions in *group* whose *outcomes* keep the steps after it from being done, in order.

    There are none if no step comes after it: a run book is stopped only before its last step.
    """
    if group.stop >= len(steps):
        return []
    return failing(steps, group, outcomes)


def failing(steps: Sequence[StepDocument], group: range, outcomes: Mapping[int, State]) -> list[int]:
    """Return the positions in *group* that have an outcome which is a failure for the run book, in order."""
    ended = (at for at in group if at in outcomes)
    return [at for at in ended if outcomes[at] not in _GOOD and steps[at]["on_error"] == "stop"]


def _is_parallel(step: StepDocument) -> bool:
    return step.get("options", {}).get("parallel", False)
