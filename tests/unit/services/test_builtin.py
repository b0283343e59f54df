"""Built-in modules: they are there from the first start on, follow new versions, and belong to who changes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.modules import Module
from dispatcher.datastore.settings import Alias, Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import builtin
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets


@pytest.fixture
def install(datastore: Datastore, ports: Ports, secrets: Secrets) -> Callable[[], None]:
    return lambda: builtin.install(datastore, ports, secrets)


def stored(datastore: Datastore) -> dict[str, tuple[int, str, str]]:
    with datastore.read() as session:
        return {row.name: (row.version, row.updated_by, row.description) for row in session.scalars(select(Module))}


def aliases(datastore: Datastore) -> dict[str, str]:
    with datastore.read() as session:
        rows = select(Alias.external_id, Module.name).join(Module, Module.id == Alias.object_id)
        return dict(session.execute(rows).tuples().all())


NAMES = {
    "networkconfigbackup": "Network configuration backup",
    "appinstall": "Application install",
    "adCheckList": "Directory checklist",
}


def test_they_are_installed_once(datastore: Datastore, hall: Hall, install: Callable[[], None]) -> None:
    install()
    first = stored(datastore)
    assert NAMES.items() <= aliases(datastore).items()
    assert {by for _, by, _ in first.values()} == {builtin.OWNER}
    install()
    assert stored(datastore) == first
    assert set(NAMES.values()) <= {what.name for what in hall.library.whats(WhatKind.MODULE, SYSTEM)}


def test_a_new_version_replaces_what_nobody_has_changed(datastore: Datastore, install: Callable[[], None]) -> None:
    install()
    with datastore.begin() as session:  # as an older version had it
        session.execute(update(Module).values(description="old"))
        session.execute(update(Setting).where(Setting.name == builtin.NOTE[0]).values(value="0 abc"))
    install()
    assert "old" not in {description for _, _, description in stored(datastore).values()}
    assert {by for _, by, _ in stored(datastore).values()} == {builtin.OWNER}


def test_what_somebody_has_changed_is_theirs(
    datastore: Datastore, install: Callable[[], None], load_library: Callable[[str], None]
) -> None:
    install()
    load_library("modules: [{name: Application install, folder: Built-in, description: ours, enabled: false}]")
    install()
    assert stored(datastore)["Application install"][2] == "ours"


def test_places_and_aliases_of_others_stay_theirs(
    datastore: Datastore, install: Callable[[], None], load_library: Callable[[str], None], capsys: Any
) -> None:
    load_library(
        "modules:\n"
        "  - {name: Ours, aliases: {opsramp: {job_type: appinstall}}}\n"
        "  - {name: Network configuration backup, folder: Built-in}\n"
    )
    install()
    assert aliases(datastore)["appinstall"] == "Ours"
    assert stored(datastore)["Application install"][1] == builtin.OWNER
    assert stored(datastore)["Network configuration backup"][1] == "system"
    assert "builtin.not_installed" in capsys.readouterr().out
    load_library(
        f"modules: [{{name: Moved, folder: Built-in, id: {id_of('Network configuration backup', datastore)}}}]"
    )
    install()  # there is room now
    assert stored(datastore)["Network configuration backup"][1] == builtin.OWNER


def id_of(name: str, datastore: Datastore) -> str:
    with datastore.read() as session:
        return str(session.scalar(select(Module.id).where(Module.name == name)))


def test_what_a_later_version_has_installed_stays(datastore: Datastore, install: Callable[[], None]) -> None:
    install()
    with datastore.begin() as session:
        session.execute(update(Module).values(description="later"))
        session.execute(update(Setting).where(Setting.name == builtin.NOTE[0]).values(value="1000 abc"))
    install()
    assert {description for _, _, description in stored(datastore).values()} == {"later"}


def test_a_start_that_finds_them_reads_no_library(
    datastore: Datastore, install: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install()
    monkeypatch.setattr(builtin, "import_texts", None)
    install()


def test_one_import_is_enough(
    datastore: Datastore, install: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = []
    original = builtin.import_texts
    monkeypatch.setattr(builtin, "import_texts", lambda *given: imports.append(original(*given)))
    install()
    assert [len(one.entries) for one in imports] == [len(stored(datastore))]


def test_another_key_is_no_reason_not_to_start(
    datastore: Datastore, ports: Ports, secrets: Secrets, load_library: Callable[[str], None], capsys: Any
) -> None:
    load_library("modules: [{name: Ours}]")  # the key is noted
    builtin.install(datastore, ports, Secrets(b"o" * 32))
    assert "builtin.not_installed" in capsys.readouterr().out
    assert set(stored(datastore)) == {"Ours"}
    builtin.install(datastore, ports, secrets)
    assert len(stored(datastore)) > 1
