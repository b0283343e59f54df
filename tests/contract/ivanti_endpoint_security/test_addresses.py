"""Addresses in answers: those that the client used, unless clients were told to use another one."""

from __future__ import annotations

import pytest
from ies_world import AGENT, DEPLOYMENT, GROUP, JOB, URL, Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall

MADE = [
    ("Jobs", JOB, "Jobs"),
    ("DeploymentGroups", DEPLOYMENT, "DeploymentGroups"),
    ("CustomPatchLists", {"Name": "April", "Patches": [{"Name": "one", "Command": "true"}]}, "CustomPatchLists"),
]


def test_a_public_address_is_shown_whatever_the_host_header_says(hall: Hall, ies: Client) -> None:
    for base in ("https://ies.example.com:43470", "https://jobs.example.com"):
        for path, model, kind in MADE:
            answer = ies.post(path, {**model, "Name": f"{kind} of {base[8:]}"})
            assert answer.status_code == 201, answer.text
            shown = answer.json()
            assert answer.headers["Location"] == f"{base}/api/v2/{path}({shown['Id']})"
            assert shown["@odata.context"] == f"{base}/api/v2/$metadata#{kind}/$entity"
        for path, kind in (("Endpoints", "Endpoints"), (f"Groups({GROUP})/Endpoints", "Endpoints"), ("Jobs", "Jobs")):
            assert ies.got(path)["@odata.context"] == f"{base}/api/v2/$metadata#{kind}"
        assert ies.got(f"Endpoints({AGENT})")["@odata.context"] == f"{base}/api/v2/$metadata#Endpoints/$entity"
        hall.settings.set("webapi.public_address", "https://jobs.example.com", SYSTEM)
    hall.settings.set("webapi.public_address", "", SYSTEM)
    assert ies.got("Jobs")["@odata.context"].startswith(URL)


@pytest.mark.parametrize("origin", ["https://jobs.example.com", "https://other.example"])
def test_pages_at_the_public_address_may_send_messages(hall: Hall, ies: Client, origin: str) -> None:
    hall.settings.set("webapi.public_address", "https://jobs.example.com", SYSTEM)
    answer = ies.post("Jobs", JOB, Origin=origin)
    assert answer.status_code == (201 if "jobs" in origin else 403)
