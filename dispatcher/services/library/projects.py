"""Library projects: the ``projects`` section of library files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dispatcher.core.conditions import ON_AGENTS
from dispatcher.core.jobs import WhatKind
from dispatcher.datastore.projects import Project, ProjectModule
from dispatcher.services.library import children, conditions, parameters, sealing
from dispatcher.services.library.children import Row
from dispatcher.services.library.entries import ProjectEntry, ProjectModuleEntry
from dispatcher.services.library.filed import WhatSection
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Exporting, Importing


class ProjectSection(WhatSection):
    """Projects with the modules they hold."""

    name = "projects"
    noun = "project"
    kind = WhatKind.PROJECT
    entry = ProjectEntry

    def new_row(self) -> Project:
        """Return a project with nothing in it."""
        return Project(description="", enabled=True, version=0)

    def fill_content(self, importing: Importing, item: Item[ProjectEntry]) -> bool:
        """Store the modules in order, and the parameters: those declared and those handed up by links."""
        known = [parameters.to_parameter(entry) for entry in item.entry.parameters]
        modules: list[Row] = []
        for place, linked in enumerate(item.entry.modules):
            path = ("modules", place)
            module_id = importing.find("modules", linked.module, item, *path, "module")
            if module_id is None:
                continue
            inner = parameters.declared(importing, WhatKind.MODULE, module_id)
            known += parameters.inherited(linked.parameters, inner, known)
            known += parameters.inherited_outputs(linked.get, inner, known)
            parameters.check_links(item, linked.parameters, inner, known, *path, "parameters")
            parameters.check_get(item, linked.get, inner, known, *path, "get")
            modules.append(_to_row(linked, module_id))
        for place, linked in enumerate(item.entry.modules):
            # Only now are all parameters known that are handed up.
            conditions.check(
                item, linked.condition, ON_AGENTS, {one.name: one for one in known}, "modules", place, "condition"
            )
        changed = parameters.store(importing, item, self.kind, known)
        return changed | sealing.replace(importing, item, self.kind, modules, "module_id")

    def dump_content(self, exporting: Exporting, row: Project) -> dict[str, Any]:
        """Return the modules."""
        names = exporting.names["modules"]
        modules = children.read(exporting.session, ProjectModule, {"project_id": row.id})
        return {
            "modules": [
                {
                    "module": names.shortest(linked["module_id"]),
                    "parameters": sealing.dump(linked["parameters"]),
                    "get": linked["get"],
                    "condition": conditions.dump(linked["condition"]),
                }
                for linked in modules
            ]
        }


def _to_row(linked: ProjectModuleEntry, module_id: UUID) -> Row:
    return {
        "module_id": module_id,
        "parameters": dict(linked.parameters),
        "get": dict(linked.get) or None,
        "condition": conditions.to_row(linked.condition),
    }
