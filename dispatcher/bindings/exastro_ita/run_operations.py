"""The operations on conductor runs: they are started, watched, cancelled, stopped and resumed; and who may do what."""

from __future__ import annotations

from collections.abc import Callable

from dispatcher.bindings.exastro_ita import contract
from dispatcher.bindings.exastro_ita.bodies import Bodies
from dispatcher.bindings.exastro_ita.door import BASE, Door
from dispatcher.bindings.exastro_ita.texts import text
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.rights import CONDUCTOR_CONFIRMATION, CONDUCTOR_EDIT, Privilege
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

_CONDUCTOR = f"{BASE}/menu/<menu>/conductor"
_RUN = f"{_CONDUCTOR}/<run>"
#: With what each change is refused in maintenance mode.
_NO_APPLY = "498-00001"
_NO_EXECUTION = "498-00006"
_NO_CANCEL = "498-00007"
_NO_SCRAM = "498-00008"
_NO_RELEASE = "498-00009"


class RunOperations:
    """Starts conductors and looks after their runs."""

    TAG = "Conductors"

    def __init__(self, suite: ExastroIta, door: Door, bodies: Bodies) -> None:
        self._apply = suite.apply
        self._runs = suite.runs
        self._actions = suite.run_actions
        self._door = door
        self._bodies = bodies
        #: What lets large messages in, by operations.
        self.gates: dict[str, Callable[..., object]] = {
            "post_apply": self._open_apply,
            "execute_conductor": self._open_execution,
        }

    @operation(
        f"POST {BASE}/apply",
        summary="Register an operation and its parameters, and run a conductor with them",
        takes=contract.ApplyBody | None,
        takes_key=True,
        tag="Apply",
        samples=(ItaError(_NO_APPLY),),
    )
    def post_apply(self, request: Request, organization: str, workspace: str) -> contract.RunStarted:
        """Do all of it, or nothing; the run is not waited for."""
        entered = self._door.enter(request, organization, workspace, _NO_APPLY)
        order, caller = self._bodies.order(request), request.caller
        run = self._apply.apply(
            entered, order, caller, language=caller.language, key=SubmitKey.of(request.key, request.asked)
        )
        return contract.RunStarted.of({"conductor_instance_id": str(run)}, self._door.now())

    @operation(
        f"POST {_CONDUCTOR}/execute",
        summary="Run a conductor",
        takes=contract.ExecuteBody | None,
        takes_key=True,
        samples=(ItaError(_NO_EXECUTION),),
    )
    def execute_conductor(self, request: Request, organization: str, workspace: str, menu: str) -> contract.RunStarted:
        """Start the conductor for an operation that is there, or book it."""
        entered = self._enter_execution(request, organization, workspace, menu)
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

    @operation(f"PATCH {_RUN}/cancel", summary="Cancel a conductor run that is booked", samples=(ItaError(_NO_CANCEL),))
    def cancel_run(self, request: Request, organization: str, workspace: str, menu: str, run: str) -> contract.Said:
        """Take a run back that waits for its date."""
        entered = self._door.enter(request, organization, workspace, _NO_CANCEL)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.cancel(entered, run, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())

    @operation(f"PATCH {_RUN}/scram", summary="Stop a conductor run", samples=(ItaError(_NO_SCRAM),))
    def scram_run(self, request: Request, organization: str, workspace: str, menu: str, run: str) -> contract.Said:
        """End what is running, at once."""
        entered = self._door.enter(request, organization, workspace, _NO_SCRAM)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.scram(entered, run, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())

    @operation(
        f"PATCH {_RUN}/node/<node>/relese",
        summary="Let a conductor run go on that pauses",
        samples=(ItaError(_NO_RELEASE),),
    )
    def release_run(
        self, request: Request, organization: str, workspace: str, menu: str, run: str, node: str
    ) -> contract.Said:
        """Let the pause end. (``relese`` is the vendor's own spelling.)"""
        entered = self._door.enter(request, organization, workspace, _NO_RELEASE)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_CONFIRMATION)
        caller = request.caller
        done = self._actions.release(entered, run, node, caller, caller.language)
        return contract.Said.of(text(done, caller.language), self._door.now())

    def _open_apply(self, request: Request, organization: str, workspace: str) -> None:
        """Check that the caller may apply at all."""
        entered = self._door.enter(request, organization, workspace, _NO_APPLY)
        self._apply.check(entered, request.caller)

    def _open_execution(self, request: Request, organization: str, workspace: str, menu: str) -> None:
        """Check that the caller may run conductors at all."""
        self._apply.check_execution(self._enter_execution(request, organization, workspace, menu), request.caller)

    def _enter_execution(self, request: Request, organization: str, workspace: str, menu: str) -> Workspace:
        """Return the workspace, in which the menu may be read that conductors are run by."""
        entered = self._door.enter(request, organization, workspace, _NO_EXECUTION)
        self._door.open(request, entered, menu, Privilege.READ, CONDUCTOR_EDIT)
        return entered
