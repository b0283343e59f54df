"""Choices: the lists that the values of pulldown columns are from. Values are stored as ids, sent and shown as texts.

A list is fixed, or it is read: of records, hosts or roles that are there and not discarded. Whoever reads or checks the
records of a menu takes the lists once (``Choices.within``), and each of them is read once at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dispatcher.services.exastro_ita import sheets
from dispatcher.services.exastro_ita.catalogue import Catalogue
from dispatcher.services.exastro_ita.columns import Label
from dispatcher.services.exastro_ita.fixed_choices import FIXED
from dispatcher.services.exastro_ita.records import Scope
from dispatcher.services.exastro_ita.values import Forms
from dispatcher.services.secrets import Secrets
from dispatcher.services.settings import Settings

#: Lists of what the live records of a menu have in a column.
_OF_COLUMNS = {
    "conductors": ("conductor_class_list", "conductor_name"),
    "host_groups": ("hostgroup_management", "hostgroup_name"),
    "playbooks": ("playbook_files", "playbook_name"),
}
#: How many texts are looked for one by one before the whole list is read.
_ONE_BY_ONE = 8
#: What is shown for an id that is in the list no more (the vendor's MSG-00001).
_GONE = Label("ID変換失敗({})", "Failed to exchange ID. ({})")


class Lister(Protocol):
    """Reads a list."""

    def all(self, scope: Scope) -> Mapping[str, str]:
        """Return the texts by their ids, in the order in which they are shown."""


class Finder(Lister, Protocol):
    """Reads a list that may be long, of which some texts can be found without reading it."""

    def find(self, scope: Scope, text: str) -> Sequence[str]:
        """Return the ids of *text*."""


class Choices:
    """Finds lists of choices. May be used by many threads."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        secrets: Secrets,
        *,
        listers: Mapping[str, Lister],
        finders: Mapping[str, Finder],
    ) -> None:
        """*listers* and *finders* read the lists that are neither fixed nor a column of a menu, by their names."""
        self._catalogue = catalogue
        self._settings = settings
        self._secrets = secrets
        self._listers: Mapping[str, Lister] = {**listers, **finders}
        self._finders = finders

    def within(self, scope: Scope) -> Lists:
        """Return the lists as they are now, for the records of one menu."""
        return Lists(self, scope)

    def forms(self, scope: Scope) -> Forms:
        """Return what brings values into their other forms, for the records of one menu."""
        return Forms(self.within(scope), self._settings.site_zone(), self._secrets, scope.language)

    def of(self, scope: Scope, name: str) -> Mapping[str, str]:
        """Return the list *name* as it is now: the texts by their ids; empty if there is no such list."""
        return self.within(scope).of(name)

    def finder(self, name: str) -> Finder | None:
        """Return what finds texts of the list *name* without reading all of it, if there is that."""
        return self._finders.get(name)

    def read(self, lists: Lists, name: str) -> Mapping[str, str]:
        """Read the list *name*; those of columns of menus with the help of other *lists*."""
        if name in FIXED:
            return {key: label.text(lists.scope.language) for key, label in FIXED[name].items()}
        if name in self._listers:
            return self._listers[name].all(lists.scope)
        if name in _OF_COLUMNS:
            return self._of_column(lists, *_OF_COLUMNS[name])
        kind, _, place = name.partition(" ")
        menu, _, column = place.partition(" ")
        if kind == sheets.FROM_MENU:
            return self._of_column(lists, menu, column)
        return self._of_sheet(lists.scope, menu, column) if kind == sheets.GIVEN else {}

    def _of_sheet(self, scope: Scope, menu: str, column: str) -> Mapping[str, str]:
        found = self._catalogue.menu(scope.session, menu)
        return {text: text for text in (found.given.get(column, ()) if found else ())}

    def _of_column(self, lists: Lists, menu: str, column: str) -> Mapping[str, str]:
        """Return what the live records of *menu* show in *column*; those that show nothing are no choices."""
        found = self._catalogue.menu(lists.scope.session, menu)
        if found is None or column not in found.by_name:
            return {}
        forms = Forms(lists, self._settings.site_zone(), self._secrets, lists.scope.language)
        live = (record for record in found.source.read(lists.scope) if not record.is_discarded)
        shown = ((record.id, forms.shown(found.by_name[column], record.values.get(column))) for record in live)
        return {str(key): str(value) for key, value in shown if value not in (None, "")}


@dataclass(slots=True)
class Lists:
    """The lists as one request sees them."""

    _choices: Choices
    scope: Scope
    _known: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _some: dict[str, dict[str, Sequence[str]]] = field(default_factory=dict)  #: ids of texts that were looked for
    _whole: dict[str, dict[str, list[str]]] = field(default_factory=dict)  #: ids of all texts of a list

    def of(self, name: str) -> Mapping[str, str]:
        """Return the texts of the list *name* by their ids; empty if there is no such list."""
        if name not in self._known:
            # What sheets take from each other in a circle is nothing.
            self._known[name] = {}
            self._known[name] = self._choices.read(self, name)
        return self._known[name]

    def id_of(self, name: str, text: str) -> str | None:
        """Return the id of *text*; None if there is none, or if there are several: the vendor refuses both."""
        found = self._ids_of(name, text)
        return found[0] if len(found) == 1 else None

    def _ids_of(self, name: str, text: str) -> Sequence[str]:
        if name not in self._whole:
            some, finder = self._some.setdefault(name, {}), self._choices.finder(name)
            if finder is not None and name not in self._known and (text in some or len(some) < _ONE_BY_ONE):
                if text not in some:
                    some[text] = finder.find(self.scope, text)
                return some[text]
            whole = self._whole[name] = {}
            for key, known in self.of(name).items():
                whole.setdefault(known, []).append(key)
        return self._whole[name].get(text, ())

    def after_sheet(self) -> Lists:
        """Return the lists as they are once records of a sheet have changed: those of hosts and operations, as before.

        What sheets take from columns is read again.
        """
        kept = {name: texts for name, texts in self._known.items() if name.partition(" ")[0] != sheets.FROM_MENU}
        whole = {name: ids for name, ids in self._whole.items() if name in kept}
        some = {name: ids for name, ids in self._some.items() if name.partition(" ")[0] != sheets.FROM_MENU}
        return Lists(self._choices, self.scope, kept, some, whole)

    def text_of(self, name: str, key: str) -> str:
        """Return the text of an id; of one that is in the list no more, that it is not."""
        text = self.of(name).get(key)
        return _GONE.text(self.scope.language).format(key) if text is None else text
