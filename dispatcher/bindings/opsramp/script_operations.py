"""The operations on categories and scripts (contract section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.bindings.opsramp import contract, script_contract, translate
from dispatcher.bindings.opsramp import translate_scripts as scripts
from dispatcher.core.errors import InvalidValue
from dispatcher.services.opsramp.categories import CategoryNotFound
from dispatcher.services.opsramp.script_library import ScriptNotFound
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

if TYPE_CHECKING:
    from dispatcher.services.opsramp.suite import OpsRamp

_RBA = "/api/v2/tenants/<tenant>/rba"
_CATEGORY = f"{_RBA}/categories/<category>"
_SCRIPT = f"{_CATEGORY}/scripts/<script>"


class ScriptOperations:
    """What clients may do with scripts, and with the categories that they are in."""

    TAG = "Scripts"

    def __init__(self, suite: OpsRamp) -> None:
        self._categories = suite.categories
        self._scripts = suite.scripts
        self._outputs = suite.outputs

    @operation(f"GET {_RBA}/categories", summary="List the categories")
    def get_categories(self, request: Request, tenant: str) -> list[script_contract.Category]:
        """Return the categories as a tree."""
        roots = self._categories.tree(tenant, request.caller)
        return [scripts.to_wire_category(category) for category in roots]

    @operation(f"POST {_RBA}/categories", summary="Create a category")
    def create_category(
        self, request: Request, tenant: str, body: script_contract.CategoryBody
    ) -> script_contract.Category:
        """Make a category, perhaps in another one."""
        parent = None if body.parent is None else body.parent.id
        made = self._categories.create(tenant, body.name, parent, request.caller)
        return scripts.to_wire_category(made)

    @operation(f"PUT {_RBA}/categories", summary="Rename a category")
    def update_category(
        self, request: Request, tenant: str, body: script_contract.CategoryBody
    ) -> script_contract.Category:
        """Give the category that the body names another name, and perhaps another place."""
        if body.id is None:
            raise InvalidValue("id", "is missing")
        parent = None if body.parent is None else body.parent.id
        renamed = self._categories.rename(tenant, body.id, body.name, parent, request.caller)
        return scripts.to_wire_category(renamed)

    @operation(f"DELETE {_CATEGORY}", summary="Delete a category", empty=200)
    def delete_category(self, request: Request, tenant: str, category: str) -> None:
        """Remove a category that is empty."""
        self._categories.remove(tenant, _category(category), request.caller)

    @operation(f"GET {_CATEGORY}/scripts", summary="List the scripts of a category")
    def get_scripts(self, request: Request, tenant: str, category: str) -> list[script_contract.RbaScript]:
        """Return the scripts in a category."""
        found = self._scripts.in_category(tenant, _category(category), request.caller)
        return [scripts.to_wire_script(*one) for one in found]

    @operation(f"POST {_CATEGORY}/scripts", summary="Create a script", takes_key=True)
    def create_script(
        self, request: Request, tenant: str, category: str, body: script_contract.RbaScriptBody
    ) -> script_contract.RbaScript:
        """Make a script that jobs can run."""
        new = scripts.to_script(body)
        made = self._scripts.create(
            tenant, _category(category), new, request.caller, SubmitKey.of(request.key, request.asked)
        )
        return scripts.to_wire_script(*made)

    @operation(f"GET {_SCRIPT}", summary="Get a script")
    def get_script(self, request: Request, tenant: str, category: str, script: str) -> script_contract.RbaScript:
        """Return a script."""
        found = self._scripts.get(tenant, _category(category), _script(script), request.caller)
        return scripts.to_wire_script(*found)

    @operation(f"POST {_SCRIPT}", f"PUT {_SCRIPT}", summary="Update a script")
    def update_script(
        self, request: Request, tenant: str, category: str, script: str, body: script_contract.RbaScriptBody
    ) -> script_contract.RbaScript:
        """Change a script; what is not given stays as it is."""
        new = scripts.to_script(body)
        changed = self._scripts.change(tenant, _category(category), _script(script), new, request.caller)
        return scripts.to_wire_script(*changed)

    @operation(f"DELETE {_SCRIPT}", summary="Delete a script", empty=200)
    def delete_script(self, request: Request, tenant: str, category: str, script: str) -> None:
        """Take a script out of its category; jobs that run it go on."""
        self._scripts.remove(tenant, _category(category), _script(script), request.caller)

    @operation(f"GET {_RBA}/scripts/<script>/paginatedOutputs", summary="Get what a script wrote")
    def get_outputs(
        self, request: Request, tenant: str, script: str, query: contract.SearchWords
    ) -> contract.Page[script_contract.Output]:
        """Return a page of what the runs of a script wrote in the tenant's jobs."""
        page = self._outputs.search(tenant, _script(script), translate.to_query(query), request.caller)
        return translate.to_wire_page(page, "res", scripts.to_wire_output)


def _category(text: str) -> int:
    number = translate.to_number(text)
    if number is None:
        raise CategoryNotFound(text)
    return number


def _script(text: str) -> int:
    number = translate.to_number(text)
    if number is None:
        raise ScriptNotFound(text)
    return number
