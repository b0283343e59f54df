"""A dialect may add a section of its own: it is imported and exported like the others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.ports import Ports
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.revisions import SETTINGS
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library import registry
from dispatcher.services.library.entries import NamedEntry
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.problems import LibraryErrors
from dispatcher.services.library.sections import Exporting, Importing
from dispatcher.services.secrets import Secrets


class Note(NamedEntry):
    """A note about a module."""

    module: str


class NoteSection:
    """Keeps notes where there is room for them: in rows of folders, as ``name|module``."""

    name = "notes"
    entry = Note
    revision = SETTINGS

    def names(self, session: Session) -> Names:
        rows = session.scalars(select(Folder).where(Folder.kind == "note"))
        return Names("note", [(row.id, "", row.path.partition("|")[0]) for row in rows])

    def check(self, item: Item[Note]) -> None:
        if item.entry.name == "bad":
            item.problem("is a bad name", "name")

    def claim(self, importing: Importing, item: Item[Note]) -> None:
        item.row = Folder(id=importing.ports.new_id(), kind="note", path="")
        item.outcome = Outcome.CREATED
        importing.session.add(item.row)

    def fill(self, importing: Importing, item: Item[Note]) -> None:
        item.row.path = f"{item.entry.name}|{importing.find('modules', item.entry.module, item, 'module')}"

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        name, _, module = exporting.session.scalars(select(Folder.path).where(Folder.id == key)).one().partition("|")
        return {"name": name, "module": exporting.names["modules"].shortest(UUID(module))}


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> None:
    # Registering lasts as long as the process: other tests are to see the format as it is.
    monkeypatch.setattr(registry, "_SECTIONS", registry.sections())
    registry.register(NoteSection())


@pytest.mark.usefixtures("notes")
def test_a_section_of_a_dialect_is_part_of_the_format(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    text = b"notes: [{name: N, module: M}]\nmodules: [{name: M}]"
    before = datastore.revisions()[SETTINGS]
    assert [entry.section for entry in import_texts(datastore, ports, secrets, {"a": text}).entries] == [
        "modules",
        "notes",
    ]
    assert export(datastore).endswith("notes:\n  - name: N\n    module: M\n")
    assert datastore.revisions()[SETTINGS] != before
    with pytest.raises(LibraryErrors) as caught:
        import_texts(datastore, ports, secrets, {"a": b"notes: [{name: bad, module: M}, {name: N, module: X}]"})
    assert [problem.path for problem in caught.value.problems] == ["notes[0].name", "notes[1].module"]


def test_it_is_unknown_otherwise(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    with pytest.raises(LibraryErrors, match="notes: no such section"):
        import_texts(datastore, ports, secrets, {"a": b"notes: []"})
