"""Menus: the views that clients read and change records through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dispatcher.services.exastro_ita.columns import NOTHING, Column, Kind, Label
from dispatcher.services.exastro_ita.records import Action, Source

#: Sheet types (contract section 3.6).
ORDINARY = "0"
SHEETS = ("1", "3", "4")

CHANGES = frozenset(Action)


@dataclass(frozen=True)
class Menu:
    """A menu: its columns in the order in which they are shown, and where its records come from."""

    name: str  #: its REST name
    label: Label
    columns: tuple[Column, ...]
    source: Source = field(repr=False)
    id: str = ""  #: the vendor's id of it
    sheet_type: str = ORDINARY
    actions: frozenset[Action] = CHANGES  #: what may be done with its records by ``maintenance``
    group: Label = NOTHING  #: the heading that the menu stands under
    has_table: bool = True  #: whether it is linked to a table at all (``499-00003`` without)
    description: Label = NOTHING
    order: tuple[tuple[str, str], ...] = ()  #: what the vendor's pages sort by: ``ASC`` or ``DESC``, and a column
    #: The choices that the definition of a sheet gives for its columns, by the names of these.
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    unique_together: tuple[tuple[str, ...], ...] = ()  #: columns of which no two live records have the same values

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by their REST names."""
        return {column.name: column for column in self.columns}

    @cached_property
    def key(self) -> Column:
        """The column with the ids of the records."""
        return next(column for column in self.columns if column.kind is Kind.KEY)

    @property
    def is_sheet(self) -> bool:
        """Whether its records give an operation's values to hosts."""
        return self.sheet_type in SHEETS
