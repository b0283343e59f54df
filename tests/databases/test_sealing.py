"""A password that a project or a run book gives is nowhere in the clear, on every database, also if it once was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import yaml
from job_world import a_request, lease, on, work_off
from sqlalchemy import delete, inspect, select, text, update

from dispatcher.core.jobs import Stage, WhatKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.credential_sets import CredentialSet
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.parameters import Parameter
from dispatcher.datastore.projects import ProjectModule
from dispatcher.datastore.runbooks import RunBookStep
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.key_checks import KeyDoesNotFit
from dispatcher.services.library import clear_texts, sealing
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets

LIBRARY = """
modules:
  - name: M
    parameters: [{name: Word, type: password, value: defaultW}, {name: Text}]
    tasks: [{type: command, name: t, settings: {command: 'echo "$[Word]$[Text]"'}}]
projects:
  - name: P
    id: 00000000-0000-4000-8000-0000000000c0
    parameters: [{name: Tail, value: tail}]
    modules:
      - {module: M, parameters: {Word: 'pl4in-$[Tail]', Text: seen}}
      - {module: M, parameters: {Word: 'pl4in-two'}}
runbooks:
  - name: R
    id: 00000000-0000-4000-8000-0000000000b0
    parameters: [{name: Key, type: password, value: k3y}, {name: End, value: end}]
    steps:
      - {name: a, module: M, who: [{ask: true}], parameters: {Word: 'pl4in-$[End]', Text: seen}}
      - {name: b, module: M, who: [{ask: true}], parameters: {Word: '$[Key]'}}
      - {name: c, project: P, who: [{ask: true}]}
"""
PROJECT = UUID("00000000-0000-4000-8000-0000000000c0")
BOOK = UUID("00000000-0000-4000-8000-0000000000b0")
Load = Callable[[str], None]


def everything(datastore: Datastore) -> str:
    """Return all that the tables hold."""
    with datastore.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return "".join(
            str(connection.execute(text(f"SELECT * FROM {quoted(datastore, name)}")).all()) for name in tables
        )


def quoted(datastore: Datastore, name: str) -> str:
    return datastore.engine.dialect.identifier_preparer.quote(name)


def versions(datastore: Datastore) -> list[tuple[int, UUID, int]]:
    with datastore.read() as session:
        found = session.execute(select(Definition.kind, Definition.object_id, Definition.version))
        return sorted(found.tuples())


@pytest.fixture
def agent(enrol: Callable[..., UUID]) -> UUID:
    return enrol("one")


def words(hall: Hall, agent: UUID, what: UUID, kind: WhatKind) -> list[str]:
    """Schedule it; return the password that each module of its first run sees."""
    hall.scheduling.submit(a_request(what, kind, who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    found = [one for module in run.modules for one in module.parameters]
    assert {one.value1 for one in found if one.name == "Text"} <= {"seen", ""}
    return [one.value1 for one in found if one.type is ParameterType.PASSWORD]


def test_no_table_holds_it_and_the_agent_gets_it(
    datastore: Datastore, hall: Hall, load_library: Load, agent: UUID
) -> None:
    load_library(LIBRARY)
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "pl4in-two"]
    hall.scheduling.submit(a_request(BOOK, WhatKind.RUNBOOK, who=on(agent)), SYSTEM)
    stored = everything(datastore)
    assert "seen" in stored
    assert "pl4in" not in stored


def test_the_links_of_a_project_reach_the_agent_open(hall: Hall, load_library: Load, agent: UUID) -> None:
    load_library(LIBRARY)
    hall.scheduling.submit(a_request(PROJECT, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    assert run.modules[0].links == {"Word": "pl4in-$[Tail]", "Text": "seen"}


def test_a_parameter_that_a_sealed_text_refers_to_is_asked_for(hall: Hall, load_library: Load) -> None:
    load_library(LIBRARY)
    asked = hall.library.inputs(WhatKind.PROJECT, PROJECT, SYSTEM)
    assert [one.name for one in asked.parameters] == ["Tail"]


def test_importing_the_same_again_and_the_export_change_nothing(datastore: Datastore, load_library: Load) -> None:
    load_library(LIBRARY)
    before, stored = versions(datastore), everything(datastore)
    load_library(LIBRARY)
    assert everything(datastore) == stored
    exported = export(datastore)
    assert "pl4in" not in exported
    [project] = yaml.safe_load(exported)["projects"]
    assert project["modules"][0]["parameters"] == {"Text": "seen", "Word": ""}
    load_library(exported)  # an empty secret stays as it is
    assert versions(datastore) == before


def test_another_password_is_a_change(datastore: Datastore, hall: Hall, load_library: Load, agent: UUID) -> None:
    load_library(LIBRARY)
    before = versions(datastore)
    load_library(LIBRARY.replace("pl4in-two", "n3w"))
    assert len(versions(datastore)) == len(before) + 2  # the project, and the run book that contains it
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "n3w"]
    assert "n3w" not in everything(datastore)


def test_a_parameter_that_becomes_a_password_seals_what_it_was_given(datastore: Datastore, load_library: Load) -> None:
    load_library(LIBRARY)
    assert "seen" in everything(datastore)
    module = LIBRARY[: LIBRARY.index("projects:")].replace("{name: Text}", "{name: Text, type: password}")
    load_library(module)
    for kind, holder in ((WhatKind.PROJECT, PROJECT), (WhatKind.RUNBOOK, BOOK)):
        with datastore.read() as session:
            newest = session.scalars(
                select(Definition.document)
                .where(Definition.kind == int(kind), Definition.object_id == holder)
                .order_by(Definition.version.desc())
            ).first()
        assert "seen" not in str(newest)


def unseal(datastore: Datastore, secrets: Secrets) -> None:
    """Store everything the way that versions did which sealed no such text, in an older version of each, too."""

    def opened(value: Any) -> Any:
        if isinstance(value, dict):
            return secrets.open(value["sealed"]) if "sealed" in value else {k: opened(v) for k, v in value.items()}
        return [opened(one) for one in value] if isinstance(value, list) else value

    with datastore.begin() as session:
        for model, column in ((ProjectModule, "parameters"), (RunBookStep, "parameters"), (Definition, "document")):
            for key, value in session.execute(select(model.id, getattr(model, column))).tuples().all():
                session.execute(update(model).where(model.id == key).values({column: opened(value)}))
        session.execute(delete(Setting))


def test_what_was_stored_in_the_clear_is_sealed_once(
    datastore: Datastore, ports: Ports, secrets: Secrets, hall: Hall, load_library: Load, agent: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(clear_texts, "_BATCH", 1)
    load_library(LIBRARY)
    load_library(LIBRARY.replace("value: end", "value: other"))
    unseal(datastore, secrets)
    assert "pl4in" in everything(datastore)
    clear_texts.seal_all(datastore, ports, secrets)
    sealed = everything(datastore)
    assert "pl4in" not in sealed
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "pl4in-two"]
    clear_texts.seal_all(datastore, ports, secrets)
    before = versions(datastore)
    load_library(LIBRARY.replace("value: end", "value: other"))
    assert versions(datastore) == before


def test_a_datastore_that_was_looked_through_is_not_again(
    datastore: Datastore, ports: Ports, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_texts.seal_all(datastore, ports, secrets)
    monkeypatch.setattr(sealing, "seal_stored", None)
    monkeypatch.setattr(datastore, "begin", None)
    clear_texts.seal_all(datastore, ports, secrets)


def test_sealing_makes_no_new_version_and_the_next_import_finds_none(
    datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Load
) -> None:
    load_library(LIBRARY)
    before = versions(datastore)
    unseal(datastore, secrets)
    clear_texts.seal_all(datastore, ports, secrets)
    assert versions(datastore) == before
    module = LIBRARY[: LIBRARY.index("projects:")]
    load_library(module.replace("Text}", "Text, description: Shown}"))  # what contains it is frozen anew
    with datastore.read() as session:
        newest = session.scalar(
            select(Definition.document).where(Definition.object_id == PROJECT).order_by(Definition.version.desc())
        )
        rows = session.scalars(
            select(ProjectModule.parameters).where(ProjectModule.project_id == PROJECT).order_by(ProjectModule.position)
        ).all()
        first = session.scalar(
            select(Definition.document).where(Definition.object_id == PROJECT).order_by(Definition.version)
        )
    assert [one["parameters"] for one in newest["modules"]] == rows
    assert [one["parameters"] for one in first["modules"]] == rows  # the same texts, not only the same passwords


def test_a_broken_definition_is_left_alone(
    datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Load
) -> None:
    load_library(LIBRARY)
    unseal(datastore, secrets)
    broken = {"id": str(BOOK), "name": "R", "parameters": [], "steps": [{"parameters": {"Word": "old"}}]}
    with datastore.begin() as session:
        session.add(
            Definition(id=ports.new_id(), kind=WhatKind.RUNBOOK, object_id=BOOK, version=99, document=broken,
                       created_at=ports.now())
        )  # fmt: skip
    clear_texts.seal_all(datastore, ports, secrets)
    assert "pl4in" not in everything(datastore)
    with datastore.read() as session:
        assert session.scalar(select(Definition.document).where(Definition.version == 99)) == broken


OTHER = Secrets(b"z" * 32)


def test_another_key_seals_nothing(
    datastore: Datastore, ports: Ports, secrets: Secrets, hall: Hall, load_library: Load, agent: UUID
) -> None:
    load_library(LIBRARY)
    unseal(datastore, secrets)  # as an earlier version left it: no key is noted, only the default is sealed
    before = everything(datastore)
    with pytest.raises(KeyDoesNotFit):
        clear_texts.seal_all(datastore, ports, OTHER)
    assert everything(datastore) == before
    clear_texts.seal_all(datastore, ports, secrets)
    with pytest.raises(KeyDoesNotFit):
        clear_texts.seal_all(datastore, ports, OTHER)
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "pl4in-two"]


def test_the_first_key_is_noted_before_there_is_any_secret(
    datastore: Datastore, ports: Ports, secrets: Secrets
) -> None:
    clear_texts.seal_all(datastore, ports, secrets)
    clear_texts.seal_all(datastore, ports, secrets)
    with pytest.raises(KeyDoesNotFit):
        clear_texts.seal_all(datastore, ports, OTHER)


def test_an_import_with_another_key_is_refused_unless_it_is_to_be_the_new_one(
    datastore: Datastore, ports: Ports, load_library: Load, agent: UUID
) -> None:
    load_library(LIBRARY)
    before = everything(datastore)
    files = {"library.yaml": LIBRARY.encode()}
    with pytest.raises(KeyDoesNotFit):
        import_texts(datastore, ports, OTHER, files)
    assert everything(datastore) == before
    import_texts(datastore, ports, OTHER, files, new_key=True)
    hall = build_hall(datastore, ports, OTHER, lease=timedelta(seconds=30))
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "pl4in-two"]
    with pytest.raises(KeyDoesNotFit):
        load_library(LIBRARY)


def test_what_another_key_sealed_is_mended_by_an_import_with_the_passwords(
    datastore: Datastore, hall: Hall, load_library: Load, agent: UUID
) -> None:
    load_library(LIBRARY)
    strange = {"sealed": OTHER.seal("pl4in-two"), "links": []}
    with datastore.begin() as session:
        parts = select(ProjectModule.id, ProjectModule.parameters)
        for key, given in session.execute(parts).tuples().all():
            changed = {**given, "Word": strange}
            session.execute(update(ProjectModule).where(ProjectModule.id == key).values(parameters=changed))
        word = Parameter.type == int(ParameterType.PASSWORD)
        session.execute(update(Parameter).where(word).values(value1=OTHER.seal("defaultW")))
    load_library(LIBRARY)
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["pl4in-tail", "pl4in-two"]


SETS = "credential_sets: [{name: Switches, user: backup, password: s-pass, private_key: s-key, passphrase: s-phrase}]"


def test_the_new_key_takes_credential_sets_along(datastore: Datastore, ports: Ports, load_library: Load) -> None:
    load_library(SETS)
    import_texts(datastore, ports, OTHER, {"sets.yaml": SETS.encode()}, new_key=True)
    with datastore.read() as session:
        stored = session.scalars(select(CredentialSet)).one()
        assert (OTHER.open(stored.password), OTHER.open(stored.private_key)) == ("s-pass", "s-key")
        assert OTHER.open(stored.passphrase) == "s-phrase"
    assert "s-p" not in everything(datastore)


MODULE = LIBRARY[: LIBRARY.index("projects:")]
AS_TEXT = MODULE.replace("{name: Word, type: password, value: defaultW}", "{name: Word, value: open}")


def shown(hall: Hall, agent: UUID, ports: Ports) -> list[str]:
    """Run the project and the run book; return what jobs show of the parameter."""
    for what, kind in ((PROJECT, WhatKind.PROJECT), (BOOK, WhatKind.RUNBOOK)):
        hall.scheduling.submit(a_request(what, kind, who=on(agent)), SYSTEM)
        work_off(hall, agent, ports.now())
    jobs = hall.jobs.page(Stage.ALL, True, True, 1, 20, SYSTEM).items
    return [one.value1 for job in jobs for given in job.parameters for one in given.parameters if one.name == "Word"]


def test_a_password_that_becomes_a_text_is_not_shown(
    datastore: Datastore, hall: Hall, ports: Ports, load_library: Load, agent: UUID
) -> None:
    load_library(LIBRARY)
    load_library(AS_TEXT)
    assert sorted(shown(hall, agent, ports)) == ["", "open"]  # of the step that hands on the password, and the other
    assert "pl4in" not in everything(datastore)
    assert "k3y" not in everything(datastore)
    exported = yaml.safe_load(export(datastore))
    assert exported["projects"][0]["modules"][0]["parameters"] == {"Text": "seen"}
    load_library(MODULE)  # a password again: what it was given is gone
    assert words(hall, agent, PROJECT, WhatKind.PROJECT) == ["defaultW", "defaultW"]


def test_a_version_with_sealed_texts_for_what_is_no_password_shows_nothing(
    datastore: Datastore, hall: Hall, ports: Ports, load_library: Load, agent: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_library(LIBRARY)
    with monkeypatch.context() as patched:  # as versions did that left them there
        patched.setattr(sealing, "seal_stored", lambda *_: False)
        load_library(AS_TEXT)
    hall.scheduling.submit(a_request(PROJECT, WhatKind.PROJECT, who=on(agent)), SYSTEM)
    [run] = lease(hall, agent, 1)
    assert [one.value1 for one in run.modules[0].parameters] == ["open", "seen"]
    assert "Word" not in run.modules[0].links
