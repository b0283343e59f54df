"""Two scripts of one site that orders virtual desktops, as published on a code host: both are one POST each.

"SQL - Query dbo.VDIPool for status Recycle.Bin and init VM reinstall" puts its JSON together by hand; "SQL - Query
VDIOrders and Dispatch a Runbook" by ``ConvertTo-Json -Depth 10``. Both call ``Invoke-WebRequest -Method Post
-Credential … -ContentType "application/json"``, and schedule a run book for a team, by its GUID.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

ORDER = "{0A8B2C4D-0000-4000-8000-00000000B00C}"
TEAM = "{6AE2E5B5-D5C8-4728-A10A-12E25BD5F9AA}"
REINSTALL = """{
        "Description": " Reinstall VM PC 17 and return to available pool ",
        "When": {
            "Immediate": true,
            "IsLocalTime": true,
            "UseWakeOnLAN": false
        },
        "What": [
            {
                "ID": " %(runbook)s ",
                "Type": 2,
                "Name": " Reinstall VM PC 17 and return to available pool "
            }
        ],
        "Who": [
            {
                "ID": " %(team)s ",
                "Type": 1,
            }
        ],
        "Parameters": [
            {
                "Identifier": "",
                "Type": 2,
                "TaskContainerGuid": " %(runbook)s ",
                "TaskContainerName": " IA - Assign Stock VDI Zürich-17 By SN Request ",
                "JobGuid": "{00000000-0000-0000-0000-000000000000}",
                "JobName": "",
                "JobParameters": [
                    {
                        "Name": "VMName",
                        "Type": 0,
                        "Description": "",
                        "Value1": "Zürich-17",
                        "Value2": "",
                        "Value3": "",
                        "Hint": "Please provide the necessary input",
                        "Selection": ""
                    },
                    {
                        "Name": "MACAddress",
                        "Type": 0,
                        "Description": "",
                        "Value1": "",
                        "Value2": "",
                        "Value3": "",
                        "Hint": "Please provide the necessary input",
                        "Selection": ""
                    }
                ]
            }
        ],
        "ScheduleInParallel": "true"
    }
    """


def parameter(name: str, value: object) -> dict[str, object]:
    texts = {"Description": "", "Value2": "", "Value3": "", "Selection": ""}
    return {"Name": name, "Type": 0, "Value1": value, **texts, "Hint": "Please provide the necessary input"}


def order(**values: object) -> dict[str, object]:
    description = "IA - MyServe VDI New - Create Asset Zürich-17 with usecase 3 for Müller's"
    return {
        "scheduleInParallel": True,
        "outsideLaunchWindow": "LaunchWindowFailJob",
        "Description": description,
        "Parameters": [
            {
                "JobName": "",
                "TaskContainerName": description,
                "Identifier": "",
                "JobGuid": "{00000000-0000-0000-0000-000000000000}",
                "TaskContainerGuid": ORDER,
                "JobParameters": [parameter(name, value) for name, value in values.items()],
                "Type": 2,
            }
        ],
        "Who": [{"Type": 1, "ID": TEAM}],
        "When": {"Immediate": True, "UseWakeOnLAN": False, "IsLocalTime": True},
        "What": [{"Name": description, "Type": 2, "ID": ORDER}],
    }


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_reinstallation_with_json_made_by_hand(client: Any, line_end: str) -> None:
    """The reinstallation: trailing commas, blanks round GUIDs, no date, ``"true"``, a parameter nobody declared."""
    body = (REINSTALL % {"runbook": ORDER, "team": TEAM}).replace("\n", line_end)
    answer = client.send("POST", "jobs", body)
    assert answer.status == 200, answer.text
    job = client.wait_for(json.loads(answer.text)["JobID"])
    assert job["Status"]["Type"] == 4
    assert job["Description"].strip() == "Reinstall VM PC 17 and return to available pool"
    (assign, _) = client.get(f"runbookjobs/{job['JobID']}")["Jobs"]
    assert client.output_of(assign["JobID"]) == "<Zürich-17> <nobody> <0>"


@pytest.mark.parametrize(("price", "shown"), [(Decimal("12.50"), "12.50"), (12, "12"), (None, "0"), ("12,5", "12,5")])
def test_order_with_values_from_a_database(client: Any, price: object, shown: str) -> None:
    """The order: NULL of the database as null, decimals as numbers, members of another API; wants 200 or 201."""
    job = client.post("jobs", order(VMName="Zürich-17", SecondOwner=None, PricePerDay=price, Snow_REQ=None), depth=10)
    job = client.wait_for(job["JobID"])
    assert job["Status"]["Type"] == 4
    (assign, _) = client.get(f"runbookjobs/{job['JobID']}")["Jobs"]
    assert client.output_of(assign["JobID"]) == f"<Zürich-17> <nobody> <{shown}>"
