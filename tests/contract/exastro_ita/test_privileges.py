"""Privileges: what rights of the core, and the privileges of roles in menus, let logins do in a workspace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exastro_client import OPERATION, OPERATIONS, AddLogin, Ita, refusal

from dispatcher.core.permissions import Right
from dispatcher.web.app import WebApp

READ_TEAMS = (Right.READ, "Topology/Teams")


def test_rights_of_the_core_hold_in_every_menu(add: AddLogin) -> None:
    records = [{"type": "Register", "parameter": OPERATION}]
    reader = add("ann", READ_TEAMS, (Right.READ, "Jobs/Scheduling"))
    assert reader.get(f"{OPERATIONS}/filter/") == []
    refused = refusal(reader.call("POST", f"{OPERATIONS}/maintenance/all/", records))
    assert refused == (
        401,
        "401-00001",
        "You do not have access privileges to the target menu. (menu: operation_list)",
    )
    assert refusal(reader.call("GET", "menu/device_list/info/"))[:2] == (401, "401-00001")
    assert refusal(reader.call("GET", "menu/role_menu_link_list/filter/"))[:2] == (401, "401-00001")
    groups = reader.get("user/menus/")["menu_groups"]
    assert "device_list" not in {menu["menu_name_rest"] for group in groups for menu in group["menus"]}
    writer = add("bob", READ_TEAMS, (Right.MODIFY, "Jobs/Scheduling"))
    writer.post(f"{OPERATIONS}/maintenance/all/", records)


@pytest.fixture
def governed(add: AddLogin) -> Callable[[str, str], None]:
    """Give a role a privilege in a menu by the menu for that, in words."""
    root = add("governor")

    def work(role: str, privilege: str, menu: str = "Basic Console:Operation list") -> None:
        parameter = {"role_name": role, "menu_name": menu, "associate": privilege}
        root.post("menu/role_menu_link_list/maintenance/all/", [{"type": "Register", "parameter": parameter}])

    return work


DELETES, WRITES, READS = "Can perform maintenance and delete", "Can perform maintenance", "View only"


def known(ita: Ita) -> dict[str, str]:
    [found] = ita.get(f"{OPERATIONS}/filter/")
    return {name: found["parameter"][name] for name in ("operation_id", "last_update_date_time")}


@pytest.mark.parametrize(
    ("privilege", "reads", "writes", "deletes"),
    [(DELETES, True, True, True), (WRITES, True, True, False), (READS, True, False, False), ("", False, False, False)],
)
def test_privileges_of_roles_in_menus(
    add: AddLogin, governed: Callable[..., None], web: WebApp, privilege: str, reads: bool, writes: bool, deletes: bool
) -> None:
    ann = add("ann", READ_TEAMS, (Right.MODIFY, "Jobs/Scheduling"))
    path = f"{OPERATIONS}/maintenance/all/"
    ann.post(path, [{"type": "Register", "parameter": OPERATION}])
    mark = known(ann)
    governed("role of ann", privilege) if privilege else governed("Full Access", DELETES)

    assert (ann.call("GET", f"{OPERATIONS}/info/").status_code == 200) == reads
    assert (ann.call("GET", f"{OPERATIONS}/filter/").status_code == 200) == reads
    # What there is no privilege for at all is out of reach as soon as there is any in the workspace.
    assert refusal(ann.call("GET", "menu/conductor_list/filter/"))[:2] == (401, "401-00001")
    answer = ann.call("POST", path, [{"type": "Update", "parameter": {**OPERATION, **mark, "remarks": "x"}}])
    assert (answer.status_code == 200) == writes
    if not writes:
        assert refusal(answer)[1:] == (
            "401-00001",
            "You do not have access privileges to the target menu. (menu: operation_list)",
        )
    mark = known(Ita(web, "root", "root")) if privilege == "" else known(ann)
    answer = ann.call("POST", path, [{"type": "Delete", "parameter": mark}])
    assert (answer.status_code == 200) == deletes, answer.text


def test_privileges_are_records_like_others(add: AddLogin, governed: Callable[..., None], web: WebApp) -> None:
    ann = add("ann", READ_TEAMS, (Right.MODIFY, "Jobs/Scheduling"))
    governed("role of ann", READS)
    root, menu = Ita(web, "root", "root"), "menu/role_menu_link_list"
    [found] = root.get(f"{menu}/filter/")
    parameter = found["parameter"]
    assert (parameter["role_name"], parameter["menu_name"], parameter["associate"], parameter["discard"]) == (
        "role of ann",
        "Basic Console:Operation list",
        READS,
        "0",
    )
    again = {name: parameter[name] for name in ("role_name", "menu_name", "associate")}
    assert refusal(root.call("POST", f"{menu}/maintenance/all/", [{"type": "Register", "parameter": again}]))[1] == (
        "499-00201"
    )
    mark = {name: parameter[name] for name in ("uuid", "last_update_date_time")}
    root.post(f"{menu}/maintenance/all/", [{"type": "Update", "parameter": {**mark, "associate": WRITES}}])
    ann.post(f"{OPERATIONS}/maintenance/all/", [{"type": "Register", "parameter": OPERATION}])
    mark["last_update_date_time"] = root.get(f"{menu}/filter/")[0]["parameter"]["last_update_date_time"]
    root.post(f"{menu}/maintenance/all/", [{"type": "Discard", "parameter": mark}])
    # None is left in the workspace: whatever the core allows is allowed again.
    ann.get("menu/conductor_list/filter/")
    mark["last_update_date_time"] = root.get(f"{menu}/filter/")[0]["parameter"]["last_update_date_time"]
    root.post(f"{menu}/maintenance/all/", [{"type": "Delete", "parameter": mark}])
    assert root.get(f"{menu}/filter/") == []


def test_whoever_may_not_govern_gives_no_privileges(add: AddLogin) -> None:
    ann = add("ann", READ_TEAMS, (Right.READ, "Administration/Security"))
    assert ann.get("menu/role_menu_link_list/filter/") == []
    parameter = {"role_name": "Full Access", "menu_name": "Basic Console:Operation list", "associate": READS}
    answer = ann.call(
        "POST", "menu/role_menu_link_list/maintenance/all/", [{"type": "Register", "parameter": parameter}]
    )
    assert refusal(answer)[1] == "401-00001"
