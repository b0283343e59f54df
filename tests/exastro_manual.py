"""The workspace of the manual's samples, and orders for ``apply`` in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exastro_client import HOST, Ita

GOLDEN = Path(__file__).parent / "contract" / "exastro_ita" / "golden"
BASE = f"{HOST}/api/organization_1/workspaces/workspace_1/ita"
EXECUTE = "menu/conductor_class_edit/conductor/execute/"
SHEETS = ("sample_menu_001", "sample_menu_002")
EXISTING = "2024/01/01 00:00_sample_operation"
Records = list[dict[str, Any]]


def change(site: Ita, menu: str, **record: Any) -> Any:
    return site.post(f"menu/{menu}/maintenance/all/", [{"type": "Register", **record}])


def a_row(host: str = "sample_host1", value: str = "value", **more: str) -> dict[str, str]:
    return {"host_name": host, "column_1": value, **more}


def an_order(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    info = parts or ({SHEETS[0]: {"type": "Register", "parameter": a_row()}},)
    return {"conductor_class_name": "sample_conductor", "parameter_info": list(info), **more}


def records(site: Ita, menu: str) -> Records:
    return [one["parameter"] for one in site.post(f"menu/{menu}/filter/", {})]


def everything(site: Ita) -> list[Records]:
    return [records(site, menu) for menu in ("operation_list", *SHEETS, "conductor_list")]


#: Both of the manual, for ``conductor/execute``.
NAMES = {"conductor_class_name": "sample_conductor", "operation_name": "sample_operation"}
