"""Rights: the tasks and folders that Control Compliance Suite grants, as rights of the core."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import Caller, Node, Right


class Task(Enum):
    """What a role of the suite permits: a task by name, or a folder."""

    MANAGE_JOBS = "Manage jobs"
    COLLECT_DATA = "Collect data"
    VIEW_ALL_JOBS = "View all jobs"
    VIEW_ASSETS = "View assets"
    VIEW_STANDARDS = "View standards"
    VIEW_EVALUATION_RESULTS = "View evaluation results"
    EVALUATE_STANDARDS = "Evaluate standards"
    ASSET_SYSTEM = "Asset System"
    STANDARDS = "Standards"


#: The right that stands for each, and the nodes on one of which it is enough.
NEEDS: Mapping[Task, tuple[Right, tuple[Node, ...]]] = {
    Task.MANAGE_JOBS: (Right.MODIFY, (Node.SCHEDULING,)),
    Task.COLLECT_DATA: (Right.MODIFY, (Node.SCHEDULING,)),
    Task.VIEW_ALL_JOBS: (Right.READ, (Node.SCHEDULING,)),
    Task.VIEW_ASSETS: (Right.READ, (Node.AGENTS, Node.TEAMS)),
    Task.VIEW_STANDARDS: (Right.READ, (Node.MODULES,)),
    Task.VIEW_EVALUATION_RESULTS: (Right.READ, (Node.RESULTS,)),
    Task.EVALUATE_STANDARDS: (Right.MODIFY, (Node.SCHEDULING,)),
    Task.ASSET_SYSTEM: (Right.READ, (Node.AGENTS, Node.TEAMS)),
    Task.STANDARDS: (Right.READ, (Node.MODULES,)),
}

#: What each of the vendor's interfaces asks for.
LOOK_AT_ASSETS = (Task.VIEW_ASSETS, Task.ASSET_SYSTEM)
LOOK_AT_STANDARDS = (Task.VIEW_STANDARDS, Task.STANDARDS)
LOOK_AT_JOBS = (Task.VIEW_ALL_JOBS, *LOOK_AT_ASSETS, *LOOK_AT_STANDARDS)
LOOK_AT_RESULTS = (Task.VIEW_EVALUATION_RESULTS,)
MAKE_JOBS = (
    Task.MANAGE_JOBS,
    Task.COLLECT_DATA,
    Task.EVALUATE_STANDARDS,
    Task.VIEW_EVALUATION_RESULTS,
    *LOOK_AT_ASSETS,
    *LOOK_AT_STANDARDS,
)
DELETE_JOBS = (Task.MANAGE_JOBS, Task.VIEW_ALL_JOBS)
OPERATE_JOBS = (*MAKE_JOBS, Task.VIEW_ALL_JOBS)


def require(caller: Caller, tasks: tuple[Task, ...]) -> None:
    """Check that *caller* may do all of *tasks*, as far as that can be said before it is known on what.

    :raises Forbidden: if not.
    """
    for task in tasks:
        right, nodes = NEEDS[task]
        if not any(caller.may_some(right, node) for node in nodes):
            raise Forbidden(caller.name, right.name.capitalize(), f"{nodes[0].value} ({task.value})")
