"""The operations on conductor runs: they are started, watched, cancelled, stopped and resumed; and who may do what."""

from __future__ import annotations

from dispatcher.bindings.exastro_ita import contract
from dispatcher.bindings.exastro_ita.bodies import Bodies
from dispatcher.bindings.exastro_ita.door import BASE, Door
from dispatcher.bindings.exastro_ita.texts import text
from dispatcher.services.exastro_ita.rights import CONDUCTOR_CONFIRMATION, CONDUCTOR_EDIT, Privilege
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

_CONDUCTOR = f"{BASE}/menu/<menu>/conductor"
_RUN = f"{_CONDUCTOR}/<run>"


class RunOperations:
    """Starts conductors and looks after their runs."""

    TAG = "Conductors"

    def __init__(self, suite: ExastroIta, door: Door, bodies: Bodies) -> None:
        self._apply = suite.apply
        self._runs = suite.runs
        self._actions = suite.run_actions
        self._door = door
        self._bodies = bodies

    @operation(
        f"POST {BASE}/apply",
        summary="Register an operation and its parameters, and run a conductor with them",
        takes=contract.ApplyBody | None,
        takes_key=True,
        tag="Apply",
    )
    def post_apply(self, request: Request, organization: str, workspace: str) -> contract.RunStarted:
        """Do all of it, or nothing; the run is not waited for."""
        entered = self._door.enter(request, organization, workspace, "498-00001")
        order, caller = self._bodies.order(request), request.caller
        run = self._apply.apply(
            entered, order, caller, language=caller.language, key=SubmitKey.of(request.key, request.asked)
        )
        return contract.RunStarted.of({"conductor_instance_id": str(run)}, self._door.now())

    @operation(
        f"POST {_CONDUCTOR}/execute", summary="Run a conductor", takes=contract.ExecuteBody | None, takes_key=True
    )
    def execute_conductor(self, request: Request, organization: str, workspace: str, menu: str) -> contract.RunStarted:
        """Start the conductor for an operation that is there, or book it."""
        entered = self._door.enter(request, organization, workspace, "498-00006")
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_EDIT)
        order, caller = self._bodies.order(request), request.caller
        run = self._apply.execute(
            entered, order, caller, language=caller.language, key=SubmitKey.of(request.key, request.asked)
        )
        return contract.RunStarted.of({"conductor_instance_id": str(run)}, self._door.now())

    @operation(f"GET {_RUN}", summary="Get a conductor run")
    def get_run(self, request: Request, organization: str, workspace: str, menu: str, run: str) -> contract.RunState:
        """Return the state of the run and of its nodes."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        return contract.RunState.of(self._runs.state(entered, run, caller, caller.language), self._door.now())

    @operation(f"GET {_CONDUCTOR}/info/<run>", summary="Get what the words of conductor runs mean")
    def get_run_info(
        self, request: Request, organization: str, workspace: str, menu: str, run: str
    ) -> contract.RunState:
        """Return the names of statuses, of nodes and of what the run uses."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        return contract.RunState.of(self._runs.info(entered, run, caller, caller.language), self._door.now())

    @operation(f"PATCH {_RUN}/cancel", summary="Cancel a conductor run that is booked")
    def cancel_run(self, request: Request, organization: str, workspace: str, menu: str, run: str) -> contract.Said:
        """Take a run back that waits for its date."""
        entered = self._door.enter(request, organization, workspace, "498-00007")
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.cancel(entered, run, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())

    @operation(f"PATCH {_RUN}/scram", summary="Stop a conductor run")
    def scram_run(self, request: Request, organization: str, workspace: str, menu: str, run: str) -> contract.Said:
        """End what is running, at once."""
        entered = self._door.enter(request, organization, workspace, "498-00008")
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.scram(entered, run, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())

    @operation(f"PATCH {_RUN}/node/<node>/relese", summary="Let a conductor run go on that pauses")
    def release_run(
        self, request: Request, organization: str, workspace: str, menu: str, run: str, node: str
    ) -> contract.Said:
        """Let the pause end. (``relese`` is the vendor's own spelling.)"""
        entered = self._door.enter(request, organization, workspace, "498-00009")
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.release(entered, run, node, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())
