"""Run actions: conductor runs are called off, stopped at once, and let go on where they wait.

What is refused, and in which order: ``execute_action`` of the vendor's (``conductor/classes/exec_util.py``). A run that
the workspace does not have is refused as one that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dispatcher.core.errors import Conflict
from dispatcher.core.permissions import Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.aborting import Aborting
from dispatcher.services.approvals import Approvals
from dispatcher.services.exastro_ita import graph
from dispatcher.services.exastro_ita.messages import ItaError, Message
from dispatcher.services.exastro_ita.nodes import NodeView, look
from dispatcher.services.exastro_ita.operations import to_id
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.rights import CONDUCTOR_CONFIRMATION, Privilege, Rights
from dispatcher.services.exastro_ita.run_jobs import Family
from dispatcher.services.exastro_ita.run_views import MENU, UNKNOWN, named
from dispatcher.services.exastro_ita.runs import Run, find
from dispatcher.services.exastro_ita.states import CONDUCTOR_NAMES, NODE_NAMES, ConductorState, NodeState
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.locking import lock_jobs
from dispatcher.services.plans import Plans

_STOPPABLE = (ConductorState.EXECUTING, ConductorState.DELAYED, ConductorState.PAUSED)


class RunActions:
    """Changes conductor runs, which are named by their ids. Every method returns what is told when it is done.

    :raises ItaError: 401-00001 if the caller may not write in the menu; 499-00806 if the workspace has no such run.
    :raises Forbidden: without Modify on Jobs/Scheduling, and Read on what the run does, and on whom.
    """

    def __init__(
        self,
        datastore: Datastore,
        ports: Ports,
        *,
        aborting: Aborting,
        approvals: Approvals,
        plans: Plans,
        rights: Rights,
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._aborting = aborting
        self._approvals = approvals
        self._plans = plans
        self._rights = rights

    def cancel(self, workspace: Workspace, run: str, caller: Caller, language: str = "ja") -> Message:
        """Call a booked run off.

        :raises ItaError: 499-00808 if it is not booked.
        """
        with self._found(workspace, run, caller) as (family, found):
            state = family.state(found.job)
            if state is not ConductorState.BOOKED:
                raise ItaError("499-00808", run, _named(state, language))
            self._aborting.abort(found.id, caller)
        return Message("MSG-40001", (run, ""))

    def scram(self, workspace: Workspace, run: str, caller: Caller, language: str = "ja") -> Message:
        """Stop a run that goes on, or waits: nothing more of it starts, and what works for it is ended.

        :raises ItaError: 499-00809 if it has not begun or is over, 499-00810 if it was told so before.
        """
        with self._found(workspace, run, caller) as (family, found):
            state = family.state(found.job)
            if state not in _STOPPABLE:
                raise ItaError("499-00809", run, _named(state, language))
            if found.job.standing.is_stopped:
                raise ItaError("499-00810", run, _named(state, language), "True")
            self._aborting.abort(found.id, caller)
        return Message("MSG-40002", (run, ""))

    def release(self, workspace: Workspace, run: str, node: str, caller: Caller, language: str = "ja") -> Message:
        """Let the run go on that waits at *node*: the id of the node, or its name.

        :raises ItaError: 499-00807 if the run has no such node, 499-00811 if nothing waits at such ones, 499-00812 if
            it was released before, 499-00813 if nothing waits there.
        """
        with self._found(workspace, run, caller) as (family, found):
            view = _node(family, found, node)
            if view is None:
                raise ItaError("499-00807", "", run, node)
            if view.node.kind != graph.PAUSE:
                raise ItaError("499-00811", run, node, view.node.kind)
            if view.job is not None and view.job.approved_at is not None:
                raise ItaError("499-00812", run, node)
            waits_not = ItaError("499-00813", run, node, named(NODE_NAMES[view.state], language))
            if view.job is None or view.state is not NodeState.ON_HOLD:
                raise waits_not
            try:
                self._approvals.approve(view.job.id, caller, if_it_waits=True)
            except Conflict:
                raise waits_not from None
        return Message("MSG-40003", (run, node))

    @contextmanager
    def _found(self, workspace: Workspace, run: str, caller: Caller) -> Iterator[tuple[Family, Run]]:
        """Give the run, and its family, in a transaction in which it is locked."""
        self._rights.check(workspace, MENU, caller, Privilege.WRITE, CONDUCTOR_CONFIRMATION)
        with self._datastore.begin() as session:
            key = to_id(run)
            if key is not None:
                lock_jobs(session, [key])
            found = find(Scope(session, workspace, caller, self._ports.now()), self._plans, run)
            if found is None:
                raise ItaError(UNKNOWN, run)
            yield found


def _node(family: Family, run: Run, text: str) -> NodeView | None:
    drawn = graph.to_graph(family.document(run.job)["steps"])
    views = look(family, run.job, drawn)
    return next((view for view in views if text == view.node.name or to_id(text) == view.id), None)


def _named(state: ConductorState, language: str) -> str:
    return named(CONDUCTOR_NAMES[state], language)
