"""Privileges: what rights of the core, and the privileges of roles in menus, let logins do in a workspace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exastro_client import BASE, HOST, OPERATION, OPERATIONS, AddLogin, Ita, refusal
from werkzeug.test import Client

from dispatcher.core.permissions import SYSTEM, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.settings import Settings
from dispatcher.web.app import WebApp
from dispatcher.web.wsgi import wsgi_application

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


@pytest.mark.parametrize("size", [0, 5 << 20], ids=["small", "large"])
@pytest.mark.parametrize("key", ["", "k-1"], ids=["without key", "with key"])
def test_apply_names_the_same_menu_whatever_it_is_sent(
    add: AddLogin, governed: Callable[..., None], web: WebApp, size: int, key: str
) -> None:
    """The records of large messages are not even taken."""
    curl, path = Client(wsgi_application(web)), BASE.removeprefix(HOST)
    body = b'{"conductor_class_name": "nightly", "operation_name": "op-1"}'.ljust(size)

    def refused(user: str, where: str = "apply/") -> tuple[str, str]:
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        answer = curl.post(f"{path}/{where}", data=body, headers=headers, auth=(user, "pass word")).json
        return answer["result"], answer["message"].partition("(menu: ")[2]

    add("reader", READ_TEAMS, (Right.READ, "Jobs/Scheduling"))
    add("stranger", READ_TEAMS)
    for name in ("reader", "stranger"):
        assert refused(name) == ("401-00001", "operation_list)")
    execute = "menu/conductor_class_edit/conductor/execute/"
    for name in ("reader", "stranger"):
        assert refused(name, execute) == ("401-00001", "conductor_class_edit)")
    assert refused("reader", "menu/none/conductor/execute/") == ("499-00002", "none)")

    add("ann", READ_TEAMS, (Right.MODIFY, "Jobs/Scheduling"))
    governed("role of ann", WRITES)
    assert refused("ann") == ("401-00001", "conductor_class_edit)")
    assert refused("ann", execute) == ("401-00001", "conductor_class_edit)")


def test_maintenance_mode_is_told_before_large_records_are_taken(
    add: AddLogin, web: WebApp, datastore: Datastore, ports: Ports
) -> None:
    add("stranger", READ_TEAMS)
    Settings(datastore, ports).set("exastro_ita.maintenance_mode", "ON", SYSTEM)
    curl, path = Client(wsgi_application(web)), BASE.removeprefix(HOST)
    for where, code in (
        (f"{OPERATIONS}/maintenance/all/", "498-00001"),
        ("apply/", "498-00001"),
        ("menu/conductor_class_edit/conductor/execute/", "498-00006"),
    ):
        for body in (b"{}", b" " * (5 << 20)):
            answer = curl.post(f"{path}/{where}", data=body, auth=("stranger", "pass word"))
            assert (answer.status_code, answer.json["result"]) == (498, code)


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
