"""User menus: the menus that a caller may read, under their headings, as the vendor's pages show them."""

from __future__ import annotations

from typing import Any

from dispatcher.core.permissions import Caller
from dispatcher.services.exastro_ita.columns import Label
from dispatcher.services.exastro_ita.fixed_choices import MENU_GROUPS
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.rights import Rights
from dispatcher.services.exastro_ita.workspaces import Workspace

#: The vendor counts what is to be shown in tens.
_STEP = 10


class UserMenus:
    """Finds what a caller may read. May be used by many threads."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights

    def groups(self, workspace: Workspace, caller: Caller, language: str) -> dict[str, Any]:
        """Return the headings with their menus; headings without any are left out."""
        under: dict[Label, list[Menu]] = {}
        for menu in self._rights.readable(workspace, caller):
            under.setdefault(menu.group, []).append(menu)
        known = [(key, label) for key, label in MENU_GROUPS.items() if label in under]
        groups = [
            {
                "id": key,
                "parent_id": "",
                "menu_group_name": label.text(language),
                "disp_seq": place * _STEP,
                "menus": [_shown(menu, number, language) for number, menu in enumerate(under[label], 1)],
            }
            for place, (key, label) in enumerate(known, 1)
        ]
        return {"menu_groups": groups}


def _shown(menu: Menu, number: int, language: str) -> dict[str, Any]:
    return {
        "id": menu.id,
        "menu_name": menu.label.text(language),
        "menu_name_rest": menu.name,
        "disp_seq": number * _STEP,
    }
