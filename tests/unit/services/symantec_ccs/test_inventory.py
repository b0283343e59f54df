"""Inventory: what many ids name is found with few statements, whoever holds the writer's lock meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from ccs_world import APACHE, GROUP, LIBRARY, STANDARD
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import WhoKind
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.symantec_ccs.inventory import Inventory
from dispatcher.services.symantec_ccs.suite import build_symantec_ccs


@pytest.fixture
def inventory(hall: Hall, load_library: Callable[[str], None]) -> Inventory:
    load_library(LIBRARY)
    return build_symantec_ccs(hall).inventory


def test_standards_are_found_in_order_each_once(inventory: Inventory, datastore: Datastore) -> None:
    with datastore.read() as session:
        found = inventory.find_standards(session, [APACHE, STANDARD.upper(), APACHE])
        assert [str(one) for one in found] == ["00000000-0000-4000-8000-0000000000a2", STANDARD]
        with pytest.raises(InvalidValue, match=rf"^Standards\[1\]: no standard {GROUP}"):
            inventory.find_standards(session, [APACHE, GROUP])


def test_targets_are_agents_and_groups(
    inventory: Inventory, datastore: Datastore, enrol: Callable[..., UUID], hall: Hall
) -> None:
    agent = enrol("db-01")
    with datastore.read() as session:
        found = inventory.find_targets(session, [GROUP, str(agent), GROUP.upper()])
        assert [(one.name, one.kind) for one in found] == [
            ("All DB2 servers", WhoKind.TEAM),
            ("db-01", WhoKind.AGENT),
        ]
        with pytest.raises(InvalidValue, match=r"^AssetsResolutionInfo\[1\]\.Id: no asset or asset group"):
            inventory.find_targets(session, [str(agent), STANDARD])


def test_many_ids_cost_few_statements(inventory: Inventory, datastore: Datastore) -> None:
    unknown = [str(uuid4()) for _ in range(999)]
    with datastore.read() as session, statements(datastore) as sent:
        for find, known in ((inventory.find_standards, STANDARD), (inventory.find_targets, GROUP)):
            with pytest.raises(InvalidValue):
                find(session, [known, *unknown])
    assert sum(one.startswith("SELECT") for one in sent) == 12
