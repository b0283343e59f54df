"""Library sections: what library files may have of this dialect (``services.library.registry``)."""

from __future__ import annotations

from dispatcher.services.exastro_ita.menu_section import MenuSection
from dispatcher.services.exastro_ita.workspace_section import WorkspaceSection

SECTIONS = (WorkspaceSection(), MenuSection())
