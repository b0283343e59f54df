"""The operations on what the caller has before it: the version, and the menus that it may read."""

from __future__ import annotations

from dispatcher.bindings.exastro_ita import contract
from dispatcher.bindings.exastro_ita.door import BASE, Door
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

#: The version of the vendor's product that this is like, and what playbooks are run by here.
VERSION, DRIVERS = "2.7.0", ("Ansible",)


class UserOperations:
    """Tells what there is for the caller."""

    TAG = "User info"

    def __init__(self, suite: ExastroIta, door: Door) -> None:
        self._menus = suite.user_menus
        self._door = door

    @operation(f"GET {BASE}/version", summary="Get the version")
    def get_version(self, request: Request, organization: str, workspace: str) -> contract.VersionAnswer:
        """Return the version whose interface this is."""
        self._door.enter(request, organization, workspace)
        return contract.VersionAnswer.of({"version": VERSION, "installed_driver": [*DRIVERS]}, self._door.now())

    @operation(f"GET {BASE}/user/menus", summary="Get the menus that the caller may read")
    def get_user_menus(self, request: Request, organization: str, workspace: str) -> contract.UserMenus:
        """Return the menus by the headings that they stand under."""
        entered = self._door.enter(request, organization, workspace)
        caller = request.caller
        return contract.UserMenus.of(self._menus.groups(entered, caller, caller.language), self._door.now())
