"""The operations on menus: what they are called, their columns, and what may be chosen in them."""

from __future__ import annotations

from dispatcher.bindings.exastro_ita import contract
from dispatcher.bindings.exastro_ita.door import BASE, Door
from dispatcher.services.exastro_ita.suite import ExastroIta
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

_INFO = f"{BASE}/menu/<menu>/info"


class MenuOperations:
    """Tells of menus."""

    TAG = "Menu info"

    def __init__(self, suite: ExastroIta, door: Door) -> None:
        self._info = suite.menu_info
        self._door = door

    @operation(f"GET {_INFO}", summary="Get the columns of a menu and how it is shown")
    def get_menu_info(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Info:
        """Return all that is known of the menu."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu, sheet_types=None)
        caller = request.caller
        return contract.Info.of(self._info.info(entered, menu, caller, caller.language), self._door.now())

    @operation(
        f"GET {_INFO}/column", f"GET {BASE}/menu/<menu>/column", summary="Get the names of the columns of a menu"
    )
    def get_columns(self, request: Request, organization: str, workspace: str, menu: str) -> contract.ColumnNames:
        """Return what the columns are called. (The vendor's sample leaves ``info`` out of the path.)"""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        caller = request.caller
        return contract.ColumnNames.of(self._info.columns(entered, menu, caller, caller.language), self._door.now())

    @operation(f"GET {_INFO}/pulldown", summary="Get what may be chosen in the columns of a menu")
    def get_pulldown(self, request: Request, organization: str, workspace: str, menu: str) -> contract.Pulldown:
        """Return the choices of all columns that have some."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        caller = request.caller
        return contract.Pulldown.of(self._info.pulldown(entered, menu, caller, caller.language), self._door.now())

    @operation(f"GET {_INFO}/search/candidates/<column>", summary="Get the values that a column has")
    def get_candidates(
        self, request: Request, organization: str, workspace: str, menu: str, column: str
    ) -> contract.Candidates:
        """Return which values of the column there are in live and in discarded records."""
        entered = self._door.enter(request, organization, workspace)
        self._door.open(request, entered, menu)
        caller = request.caller
        found = self._info.candidates(entered, menu, column, caller, caller.language)
        return contract.Candidates.of(found, self._door.now())
