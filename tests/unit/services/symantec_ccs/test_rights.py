"""Rights: each task and folder of the vendor's page is a right of the core, and none is more than it says."""

from __future__ import annotations

import pytest

from dispatcher.core.errors import Forbidden
from dispatcher.core.permissions import Caller, Node, Right, RoleRights
from dispatcher.services.symantec_ccs.rights import NEEDS, OPERATE_JOBS, Task, require

# Seed, "Authorization requirements": the permissions and the folders that Job Operation needs.
PAGE = {
    "Manage jobs",
    "Collect data",
    "View all jobs",
    "View assets",
    "View standards",
    "View evaluation results",
    "Evaluate standards",
    "Asset System",
    "Standards",
}


def who(node: Node, right: Right) -> Caller:
    return Caller.of("ann", [RoleRights("role", {(node, None): right})])


def test_job_operation_needs_what_the_page_says() -> None:
    assert {task.value for task in OPERATE_JOBS} == PAGE
    assert {task.value for task in Task} == PAGE
    assert NEEDS.keys() == set(Task)


@pytest.mark.parametrize("task", Task)
def test_a_task_is_a_right_on_one_of_its_nodes(task: Task) -> None:
    right, nodes = NEEDS[task]
    for node in Node:
        for given in Right:
            if node in nodes and given >= right:
                require(who(node, given), (task,))
            else:
                with pytest.raises(Forbidden):
                    require(who(node, given), (task,))


def test_all_tasks_are_needed() -> None:
    with pytest.raises(Forbidden, match=r"Modify .* Jobs/Scheduling \(Manage jobs\)"):
        require(who(Node.AGENTS, Right.MODIFY), (Task.VIEW_ASSETS, Task.MANAGE_JOBS))
