"""Operations: their names, when they ran last, and that records of them are those of ``operation_list``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from exastro_world import NOW, a_menu, a_scope, a_workspace, an_operation
from runbook_world import BOOK, a_book, a_library, a_step

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.exastro_ita.messages import InvalidRecords, ItaError
from dispatcher.services.exastro_ita.operations import OperationRows, auto_names, select_text
from dispatcher.services.exastro_ita.suite import ExastroIta, build_exastro_ita
from dispatcher.services.exastro_ita.workspaces import Workspace
from dispatcher.services.hall import Hall

TOKYO = ZoneInfo("Asia/Tokyo")
MOMENT = datetime(2031, 12, 31, 20, 30, 5, 70, tzinfo=UTC)
SHOWN = f"{NOW:%Y/%m/%d %H:%M:%S.%f}"
PLANNED = "scheduled_date_for_execution"


@pytest.fixture
def workspace(datastore: Datastore, load_library: Callable[[str], None]) -> Workspace:
    workspace = a_workspace(datastore)
    load_library(a_library(a_book(a_step("first", who="agent: h1"), name="nightly")))
    return workspace


@pytest.fixture
def ita(hall: Hall) -> ExastroIta:
    return build_exastro_ita(hall)


@pytest.fixture
def register(ita: ExastroIta, workspace: Workspace) -> Callable[..., Any]:
    def register(name: Any = "op-1", planned: Any = "2031/06/01 02:00", **more: Any) -> Any:
        parameter = {"operation_name": name, PLANNED: planned, **more}
        sent = [{"type": "Register", "parameter": parameter}]
        return ita.maintenance.change(workspace, "operation_list", sent, SYSTEM, language="en")

    return register


@pytest.fixture
def stored(datastore: Datastore, workspace: Workspace) -> Callable[[], list[dict[str, Any]]]:
    def stored() -> list[dict[str, Any]]:
        with datastore.read() as session:
            return [record.values for record in OperationRows().read(a_scope(session, workspace))]

    return stored


def test_pulldowns_show_them_by_the_clocks_of_the_site() -> None:
    assert select_text(MOMENT, "op_1", TOKYO) == "2032/01/01 05:30_op_1"
    assert select_text(MOMENT.replace(year=1000), "x", UTC) == "1000/12/31 20:30_x"


def test_automatic_names_are_the_moment_and_a_digit() -> None:
    first, second = islice(auto_names(MOMENT, TOKYO), 2)
    assert first == [f"20320101053005000070{digit}" for digit in range(10)]
    assert second[0] == "203201010530050000710"


@pytest.mark.parametrize("planned", ["2031/06/01 02:00", "2031/06/01 02:00:00"])
def test_their_date_has_two_forms(
    register: Callable[..., Any], stored: Callable[[], list[dict[str, Any]]], planned: str
) -> None:
    register(planned=planned, last_run_date="2031/01/01 00:00", language="xx")
    [values] = stored()
    assert datetime.fromisoformat(values[PLANNED]) == datetime(2031, 6, 1, 2, tzinfo=UTC)
    # What the system writes itself is not taken from anybody.
    assert (values["last_run_date"], values["language"]) == (None, "en")


@pytest.mark.parametrize(
    ("name", "planned", "column"),
    [
        ("あ" * 86, "2031/06/01 02:00", "operation_name"),
        ("taken", "2031/06/01 02:00", "operation_name"),
        (None, "2031/06/01 02:00", "operation_name"),
        ("x", "2031-06-01T02:00", PLANNED),
        ("x", "", PLANNED),
    ],
)
def test_what_does_not_fit_is_refused(
    register: Callable[..., Any], stored: Callable[[], list[dict[str, Any]]], name: Any, planned: Any, column: str
) -> None:
    register("taken")
    register("x" * 255)
    with pytest.raises(InvalidRecords) as refused:
        register(name, planned)
    assert list(refused.value.faults[0]) == [column]
    assert len(stored()) == 2


def test_they_remember_when_they_ran_last(
    ita: ExastroIta, workspace: Workspace, datastore: Datastore, clock: Any, stored: Callable[[], list[dict[str, Any]]]
) -> None:
    for name in ("op-1", "op-2"):
        an_operation(datastore, workspace, name)
    names = {"conductor_class_name": "nightly", "operation_name": "op-1"}
    for _ in range(2):
        clock.turn(timedelta(minutes=1))
        ita.apply.execute(workspace, names, SYSTEM)
    booked = {**names, "operation_name": "op-2", "schedule_date": "2031/06/01 02:00"}
    ita.apply.execute(workspace, booked, SYSTEM)
    assert [values["last_run_date"] for values in stored()] == [clock().isoformat(), None]


def test_a_discarded_operation_is_not_found(ita: ExastroIta, workspace: Workspace, datastore: Datastore) -> None:
    """It can be registered again by its name, and run no more."""
    key = an_operation(datastore, workspace, "op-1")
    sent = [{"type": "Discard", "parameter": {"operation_id": str(key), "last_update_date_time": SHOWN}}]
    ita.maintenance.change(workspace, "operation_list", sent, SYSTEM)
    for names in (
        {"conductor_class_name": "nightly", "operation_name": "op-1"},
        {"conductor_class_id": str(BOOK), "operation_id": str(key)},
    ):
        with pytest.raises(ItaError, match="499-00814: operation_"):
            ita.apply.execute(workspace, names, SYSTEM)


def test_what_has_no_table_has_no_records(ita: ExastroIta, workspace: Workspace) -> None:
    ita.catalogue.add([a_menu("bare", has_table=False)])
    order = {"conductor_class_name": "nightly", "parameter_info": {"bare": {"type": "Register", "parameter": {}}}}
    with pytest.raises(ItaError, match="499-00003: bare"):
        ita.apply.apply(workspace, order, SYSTEM)
