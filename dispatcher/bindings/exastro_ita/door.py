"""The door: what every operation does first, whoever asks for whatever."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from dispatcher.core.errors import NotAuthenticated
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.services.exastro_ita.rights import RECORDS, Privilege
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.wire.http import Request

#: The part of the paths that all operations in a workspace have.
BASE = "/api/<organization>/workspaces/<workspace>/ita"


class Door:
    """Lets callers into workspaces and menus.

    In the order of the vendor's: who it is, the workspace, maintenance mode, the menu, the right, and then the body.
    """

    def __init__(self, suite: ExastroIta) -> None:
        self._suite = suite

    def now(self) -> datetime:
        """Return this moment."""
        return self._suite.ports.now()

    def enter(self, request: Request, organization: str, workspace: str, maintenance: str = "") -> Workspace:
        """Return the workspace that *request* is for; in maintenance mode what it asks for is refused as *maintenance*.

        :raises NotAuthenticated: if the first login of the caller is to come.
        :raises ItaError: 403-00001 if the caller may not enter, or the code *maintenance*.
        """
        if request.caller.is_first_login_pending:
            raise NotAuthenticated
        entered = self._suite.workspaces.enter(organization, workspace, request.caller)
        if maintenance and self._suite.settings.current().text("exastro_ita.maintenance_mode") == "ON":
            raise ItaError(maintenance)
        return entered

    def open(
        self,
        request: Request,
        workspace: Workspace,
        menu: str,
        needed: Privilege = Privilege.READ,
        sheet_types: Collection[str] | None = RECORDS,
    ) -> Privilege:
        """Return the privilege that the caller has in *menu*, which is the *needed* one at least.

        :raises ItaError: 499-00001 to 499-00003 if there is no such menu, 401-00001 if it has not the privilege.
        """
        return self._suite.rights.check(workspace, menu, request.caller, needed, sheet_types)
