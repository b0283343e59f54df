"""New patch lists: whatever clients may make can be exported, and imported again."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.ivanti_endpoint_security.new_patch_lists import NewPatch, NewPatchList, NewPatchLists
from dispatcher.services.ivanti_endpoint_security.suite import build_ivanti_endpoint_security
from dispatcher.services.library.exporting import export
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets

NAMES = st.text(min_size=1, max_size=6) | st.sampled_from(["~", "no", "1.0", "é" * 255, "a: b", "- a", "#a", "one"])
PATCHES = st.builds(NewPatch, NAMES, description=st.text(max_size=6), command=st.text(min_size=1, max_size=6))


@pytest.fixture
def lists(hall: Hall) -> NewPatchLists:
    return build_ivanti_endpoint_security(hall).new_patch_lists


def goes_round(datastore: Datastore, ports: Ports, secrets: Secrets) -> bool:
    text = export(datastore)
    import_texts(datastore, ports, secrets, {"exported.yaml": text.encode()})
    return export(datastore) == text


def test_long_names_that_need_their_folders_go_round(
    lists: NewPatchLists, datastore: Datastore, ports: Ports, secrets: Secrets
) -> None:
    for first in "ab":
        lists.create(NewPatchList(first + "é" * 254, "", [NewPatch("y" * 255, command="true")]), SYSTEM)
    assert goes_round(datastore, ports, secrets)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.text(max_size=6), st.lists(PATCHES, min_size=1, max_size=2))
def test_what_is_made_goes_round(
    lists: NewPatchLists,
    datastore: Datastore,
    ports: Ports,
    secrets: Secrets,
    name: str,
    description: str,
    patches: list[NewPatch],
) -> None:
    with suppress(InvalidValue):
        lists.create(NewPatchList(name, description, patches), SYSTEM)
    assert goes_round(datastore, ports, secrets)
