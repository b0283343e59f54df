"""Columns of playbooks: those of the seed; the vendor's source has six more since 2.7."""

from __future__ import annotations

from dispatcher.services.exastro_ita.columns import Column, Kind, Label
from dispatcher.services.exastro_ita.columns_of.ordinary import SHORT, ending, key
from dispatcher.services.exastro_ita.menus import Menu
from dispatcher.services.exastro_ita.records import Source

#: Those of ``playbook_files``.
PLAYBOOKS = (
    key("item_no", "項番", "Item No."),
    Column(
        "playbook_name",
        Label("Playbook素材名", "Playbook name"),
        Kind.TEXT,
        is_required=True,
        is_unique=True,
        max_bytes=SHORT,
    ),
    Column("playbook_file", Label("Playbook素材", "Playbook files"), Kind.FILE, is_required=True),
    *ending(is_required=False),
)


def playbook_files(source: Source) -> Menu:
    """Return the menu ``playbook_files`` over *source*."""
    return Menu(
        name="playbook_files",
        label=Label("Playbook素材集", "Playbook files"),
        columns=PLAYBOOKS,
        source=source,
        id="20202",
        group=Label("Ansible-Legacy", "Ansible-Legacy"),
        order=(("ASC", "playbook_name"),),
    )
