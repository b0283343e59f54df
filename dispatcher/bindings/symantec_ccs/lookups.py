"""The operations on what jobs are about: assets, asset groups, standards, evaluation results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dispatcher.bindings.symantec_ccs import inventory
from dispatcher.bindings.symantec_ccs import lookup_contract as contract
from dispatcher.bindings.symantec_ccs.attributes import to_terms
from dispatcher.bindings.symantec_ccs.contract import FolderSearch, Search
from dispatcher.bindings.symantec_ccs.operations import BASE
from dispatcher.bindings.symantec_ccs.translate import to_id
from dispatcher.services.symantec_ccs.suite import SymantecCcs
from dispatcher.services.symantec_ccs.terms import fit
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

_T = TypeVar("_T")


class Lookups:
    """Finds what jobs are about."""

    TAG = "Assets, standards and results"

    def __init__(self, suite: SymantecCcs) -> None:
        self._inventory = suite.inventory
        self._evaluations = suite.evaluations

    @operation(f"GET {BASE}/Assets", summary="Search assets")
    def search_assets(self, request: Request, query: FolderSearch) -> contract.AssetPage:
        """Return a page of the assets whose attributes fit."""
        found = _found(self._inventory.assets(request.caller), query, inventory.to_attributes)
        found = [one for one in found if inventory.has_asset(query, one)]
        items, pages = _page(found, query)
        return contract.AssetPage(
            assetDataList=[inventory.to_wire_asset(one) for one in items], TotalPages=pages, TotalCount=len(found)
        )

    @operation(f"GET {BASE}/Assets/<asset_id>", summary="Get an asset")
    def get_asset(self, request: Request, asset_id: str) -> contract.AssetDetails:
        """Return the asset that has the id, with its attributes."""
        return inventory.to_wire_details(self._inventory.asset(asset_id, request.caller))

    @operation(f"GET {BASE}/AssetGroup", summary="Search asset groups")
    def search_groups(self, request: Request, query: FolderSearch) -> contract.AssetGroupPage:
        """Return a page of the asset groups whose attributes fit."""
        found = _found(self._inventory.groups(request.caller), query, inventory.to_group_attributes)
        found = [one for one in found if inventory.is_in(one.folder, query, inventory.ASSETS)]
        items, pages = _page(found, query)
        return contract.AssetGroupPage(
            assetGroupDataList=[inventory.to_wire_group(one) for one in items], TotalPages=pages, TotalCount=len(found)
        )

    @operation(f"GET {BASE}/AssetGroup/<group_id>", summary="Get an asset group")
    def get_group(self, request: Request, group_id: str) -> contract.AssetGroup:
        """Return the asset group that has the id."""
        return inventory.to_wire_group(self._inventory.group(group_id, request.caller))

    @operation(f"GET {BASE}/AssetGroup/<group_id>/Assets", summary="Get the assets of a group")
    def get_members(self, request: Request, group_id: str, query: Search) -> contract.AssetPage:
        """Return a page of the assets that belong to the group now."""
        found = _found(self._inventory.members(group_id, request.caller), query, inventory.to_attributes)
        items, pages = _page(found, query)
        return contract.AssetPage(
            assetDataList=[inventory.to_wire_asset(one) for one in items], TotalPages=pages, TotalCount=len(found)
        )

    @operation(f"GET {BASE}/Standards", summary="Search standards")
    def search_standards(self, request: Request, query: FolderSearch) -> contract.StandardPage:
        """Return a page of the standards whose attributes fit."""
        found = _found(self._inventory.standards(request.caller), query, inventory.to_standard_attributes)
        found = [one for one in found if inventory.is_in(one.folder, query, inventory.STANDARDS)]
        items, pages = _page(found, query)
        return contract.StandardPage(
            standardDataList=[inventory.to_wire_standard(one) for one in items],
            TotalPages=pages,
            TotalCount=len(found),
        )

    @operation(f"POST {BASE}/Results", summary="Get the evaluation result of a standard on an asset")
    def get_result(self, request: Request, body: contract.ResultWanted) -> contract.EvaluationResult:
        """Return what has become of the checks of a standard on an asset."""
        run_id = to_id(body.JobRunID, "JobRunID") if body.JobRunID else None
        version = inventory.to_version(body.StandardVersion) if body.StandardVersion else None
        found = self._evaluations.get(body.AssetID, body.StandardID, request.caller, run_id=run_id, version=version)
        return inventory.to_wire_result(found, body.CheckIDList)


def _found(items: Sequence[_T], query: Search, attributes: Callable[[_T], Mapping[str, Sequence[str]]]) -> list[_T]:
    terms = to_terms(query.Attributes)
    return [one for one in items if fit(terms, attributes(one))] if terms else list(items)


def _page(items: Sequence[_T], query: Search) -> tuple[Sequence[_T], int]:
    """Return the page of *items* that is wanted, and how many pages there are."""
    start = query.page * query.pagesize
    return items[start : start + query.pagesize], -(-len(items) // query.pagesize)
